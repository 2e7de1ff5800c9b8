import type {
  DeviceClass,
  DeviceTaintRule,
  ResourceClaimTemplate,
  ResourceResourceClaim,
  ResourceSlice,
} from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { everyVerb } from '../every-verb.ts';
import type { KubeObject } from '../resource-client.ts';

const V1 = { groupVersion: 'resource.k8s.io/v1' } as const;
const devices = { requests: [{ name: 'one', exactly: { deviceClassName: 'test' } }] };
const annotate = ({ metadata }: KubeObject): void => {
  metadata.annotations = { ...metadata.annotations, updated: 'true' };
};
const annotation = ({ metadata }: KubeObject): unknown => metadata.annotations?.['updated'];

area('sig-node', '[DRA] CRUD Tests resource.k8s.io/v1', (spec) => {
  spec('DeviceClass', (context) =>
    everyVerb<DeviceClass>(context, {
      ...V1,
      plural: 'deviceclasses',
      kind: 'DeviceClass',
      body: { spec: { selectors: [{ cel: { expression: 'device.driver == "a.example.com"' } }] } },
      change: ({ spec }) => {
        spec.selectors = [{ cel: { expression: 'device.driver == "b.example.com"' } }];
      },
      changed: ({ spec }) => spec.selectors,
    }),
  );
  spec('DeviceTaintRule', (context) =>
    everyVerb<DeviceTaintRule>(context, {
      ...V1,
      plural: 'devicetaintrules',
      kind: 'DeviceTaintRule',
      body: {
        spec: {
          deviceSelector: { driver: 'd.example.com' },
          taint: { key: 'example.com/broken', value: 'yes', effect: 'NoSchedule' },
        },
      },
      change: ({ spec }) => {
        spec.taint.value = 'no';
      },
      changed: ({ spec }) => spec.taint.value,
    }),
  );
  spec('ResourceClaim', (context) =>
    everyVerb<ResourceResourceClaim>(context, {
      ...V1,
      plural: 'resourceclaims',
      kind: 'ResourceClaim',
      namespaced: true,
      body: { spec: { devices } },
      change: annotate,
      changed: annotation,
    }),
  );
  spec('ResourceClaimTemplate', (context) =>
    everyVerb<ResourceClaimTemplate>(context, {
      ...V1,
      plural: 'resourceclaimtemplates',
      kind: 'ResourceClaimTemplate',
      namespaced: true,
      body: { spec: { spec: { devices } } },
      change: annotate,
      changed: annotation,
    }),
  );
  spec('ResourceSlice', (context) =>
    everyVerb<ResourceSlice>(context, {
      ...V1,
      plural: 'resourceslices',
      kind: 'ResourceSlice',
      body: {
        spec: {
          driver: 'd.example.com',
          nodeName: 'no-such-node',
          pool: { name: 'no-such-node', generation: 1, resourceSliceCount: 1 },
          devices: [{ name: 'one' }],
        },
      },
      change: ({ spec }) => {
        spec.devices = [{ name: 'one' }, { name: 'two' }];
      },
      changed: ({ spec }) => spec.devices?.map(({ name }) => name),
    }),
  );
});
