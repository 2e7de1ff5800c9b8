import { describe, expect, it } from 'vitest';
import { kindSchema } from './built-in.ts';
import { applyDefaults } from './defaulting.ts';
import type { SchemaNode } from './node.ts';
import { validateSchema } from './validation.ts';

function schemaOf(group: string, kind: string): SchemaNode {
  const schema = kindSchema({ group, version: 'v1', kind });
  if (schema === undefined) throw new Error(`no ${kind}`);
  return schema;
}
const pod = schemaOf('', 'Pod');

describe('applyDefaults', () => {
  it('fills where the parent is present and nothing else', () => {
    const object = {
      spec: {
        containers: [{ name: 'a', ports: [{ containerPort: 1 }, { containerPort: 2, protocol: 'UDP' }] }],
        imagePullSecrets: [{}],
        volumes: [
          { name: 'v', nfs: { server: 's', path: '/' }, iscsi: { lun: 0, targetPortal: 't', iqn: 'i' } },
        ],
      },
    };
    applyDefaults(object, pod);
    expect(object).toEqual({
      metadata: {},
      spec: {
        containers: [
          {
            name: 'a',
            ports: [
              { containerPort: 1, protocol: 'TCP' },
              { containerPort: 2, protocol: 'UDP' },
            ],
          },
        ],
        imagePullSecrets: [{}],
        volumes: [
          {
            name: 'v',
            nfs: { server: 's', path: '/' },
            iscsi: { lun: 0, targetPortal: 't', iqn: 'i', iscsiInterface: 'default' },
          },
        ],
      },
    });
  });

  it('fills what a Go struct always has, and leaves pointers absent', () => {
    const deployment = {};
    applyDefaults(deployment, schemaOf('apps', 'Deployment'));
    expect(deployment).toEqual({
      metadata: {},
      spec: { template: { metadata: {}, spec: { containers: [] } } },
    });
    const container = { spec: { containers: [{ env: [{}], livenessProbe: { httpGet: {} } }] } };
    applyDefaults(container, pod);
    expect(container.spec.containers).toEqual([
      { name: '', env: [{ name: '' }], livenessProbe: { httpGet: { port: 0 } } },
    ]);
  });

  it('settles after one pass', () => {
    const object = { spec: { template: { spec: { containers: [{ ports: [{}] }] } } } };
    applyDefaults(object, schemaOf('', 'ReplicationController'));
    const once = structuredClone(object);
    applyDefaults(object, schemaOf('', 'ReplicationController'));
    expect(object).toEqual(once);
    expect(object.spec).toHaveProperty('replicas', 1);
  });
});

describe('places with something to do', () => {
  it('are found again after objects that have nothing there', () => {
    const type = schemaOf('', 'ReplicationController');
    const withPort = (ports: object[]) => ({ spec: { template: { spec: { containers: [{ ports }] } } } });
    for (const object of [{ spec: { template: null } }, { spec: {} }, withPort([])]) {
      applyDefaults(object, type);
      expect(validateSchema(object, type)).toEqual([]);
    }
    const object = withPort([{ protocol: 'x' }, {}]);
    applyDefaults(object, type);
    expect(object.spec.template.spec.containers[0]?.ports[1]).toHaveProperty('protocol', 'TCP');
    expect(validateSchema(object, type).map(({ field }) => field)).toEqual([
      'spec.template.spec.containers[0].ports[0].protocol',
    ]);
  });

  it('are found in types that hold themselves', () => {
    const type = schemaOf('apiextensions.k8s.io', 'CustomResourceDefinition');
    const schema = (properties: object) => ({ openAPIV3Schema: { type: 'object', properties } });
    const object = {
      spec: { versions: [{ schema: schema({ a: { properties: { b: { externalDocs: {} } } } }) }] },
    };
    applyDefaults(object, type);
    applyDefaults({ spec: { versions: [{ schema: schema({}) }] } }, type);
    const again = structuredClone(object);
    applyDefaults(again, type);
    expect(again).toEqual(object);
  });
});

describe('validateSchema', () => {
  it('reports values outside a closed enum, with their path', () => {
    const errors = validateSchema(
      {
        spec: {
          restartPolicy: 'Sometimes',
          containers: [{ imagePullPolicy: 'Never', ports: [{ protocol: 'tcp' }] }],
          readinessGates: [{ conditionType: 'example.com/ready' }],
        },
        status: { phase: 'Dreaming' },
      },
      pod,
    );
    expect(errors).toEqual([
      {
        field: 'spec.restartPolicy',
        reason: 'FieldValueNotSupported',
        message: 'Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
      },
      {
        field: 'spec.containers[0].ports[0].protocol',
        reason: 'FieldValueNotSupported',
        message: 'Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"',
      },
    ]);
  });

  it('reports absent required fields when asked', () => {
    const object = { spec: { containers: [{}] } };
    expect(validateSchema(object, pod)).toEqual([]);
    expect(validateSchema(object, pod, { checkRequired: true }).map(({ field }) => field)).toEqual([
      'spec.containers[0].name',
    ]);
  });

  it('stops complaining after a hundred', () => {
    const ports = Array.from({ length: 1000 }, () => ({ protocol: 'x' }));
    expect(validateSchema({ spec: { containers: [{ ports }] } }, pod)).toHaveLength(100);
  });
});
