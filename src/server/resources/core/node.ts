import { forbiddenField, invalidValue, required } from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import { labelKeyProblems, labelValueProblems } from '../../../api/names.ts';
import { nodes } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Node, Taint } from '../../../api/types.gen.ts';
import type { Column, ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, orNone, textColumn, wide } from '../columns.ts';
import { cidr, eachOf, problemsOf } from '../field-checks.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';

function statusText({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const texts = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (spec?.unschedulable) texts.push('SchedulingDisabled');
  return texts.join(',');
}

function roles({ metadata }: Node): string {
  const names = new Set<string>();
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length)
      names.add(key.slice(ROLE_PREFIX.length));
    else if (key === 'kubernetes.io/role' && value) names.add(value);
  }
  return orNone([...names].sort().join(','));
}

const address = ({ status }: Node, wanted: string): string =>
  orNone(status?.addresses?.find(({ type }) => type === wanted)?.address);

const infoColumn = (
  name: string,
  description: string,
  field: 'osImage' | 'kernelVersion' | 'containerRuntimeVersion',
): Column<Node> =>
  wide(textColumn(name, description, ({ status }: Node) => status?.nodeInfo?.[field] || '<unknown>'));

const columns: readonly Column<Node>[] = [
  nameColumn,
  textColumn('Status', 'The status of the node.', statusText),
  textColumn('Roles', 'The roles of the node.', roles),
  ageColumn,
  textColumn('Version', 'Version of the node agent.', ({ status }) => status?.nodeInfo?.kubeletVersion),
  wide(textColumn('Internal-IP', 'Address inside the cluster.', (node) => address(node, 'InternalIP'))),
  wide(textColumn('External-IP', 'Address from outside.', (node) => address(node, 'ExternalIP'))),
  infoColumn('OS-Image', 'Operating system.', 'osImage'),
  infoColumn('Kernel-Version', 'Kernel.', 'kernelVersion'),
  infoColumn('Container-Runtime', 'Container runtime.', 'containerRuntimeVersion'),
];

function validateTaints(taints: readonly Taint[] | undefined): FieldError[] {
  const seen = new Set<string>();
  return eachOf(taints, 'spec.taints', ({ key, value, effect }, at) => {
    const errors = problemsOf(`${at}.key`, key, labelKeyProblems);
    if (value) errors.push(...problemsOf(`${at}.value`, value, labelValueProblems));
    if (!effect) errors.push(required(`${at}.effect`));
    const pair = `${key}:${effect}`;
    if (seen.has(pair)) {
      errors.push({
        field: at,
        reason: 'FieldValueDuplicate',
        message: `Duplicate value: ${JSON.stringify(pair)}: taints must be unique by key and effect pair`,
      });
    }
    seen.add(pair);
    return errors;
  });
}

function validateNode({ spec }: Node): FieldError[] {
  const { podCIDRs = [] } = spec ?? {};
  const errors = validateTaints(spec?.taints);
  if (podCIDRs.length > 0) {
    errors.push(...eachOf(podCIDRs, 'spec.podCIDRs', (range, at) => cidr(at, range)));
    if (podCIDRs.length > 2) {
      errors.push(
        invalidValue('spec.podCIDRs', podCIDRs, 'may specify no more than one CIDR for each IP family'),
      );
    }
    if (spec?.podCIDR !== podCIDRs[0]) {
      errors.push(invalidValue('spec.podCIDRs[0]', podCIDRs, 'must match `podCIDR`'));
    }
  }
  return errors;
}

function validateNodeUpdate(node: Node, old: Node): FieldError[] {
  const errors: FieldError[] = [];
  const before = old.spec?.podCIDRs ?? [];
  if (before.length > 0 && !equalJson(before, node.spec?.podCIDRs ?? [])) {
    errors.push(
      forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'),
    );
  }
  if (old.spec?.providerID && old.spec.providerID !== node.spec?.providerID) {
    errors.push(
      forbiddenField('spec.providerID', 'node updates may not change providerID except from "" to valid'),
    );
  }
  return errors;
}

/** `podCIDR` is the old name of `podCIDRs[0]`. */
function pairPodCidrs({ spec }: Node): void {
  if (spec === undefined) return;
  if (spec.podCIDR && !spec.podCIDRs?.length) spec.podCIDRs = [spec.podCIDR];
  else if (!spec.podCIDR && spec.podCIDRs?.[0]) spec.podCIDR = spec.podCIDRs[0];
}

/** A heartbeat says only that nothing has changed; after a crash of the server the next one says it again. */
function isHeartbeat(node: Node, old: Node): boolean {
  return equalJson(withoutHeartbeats(node), withoutHeartbeats(old));
}

function withoutHeartbeats({ metadata, spec, status }: Node): object {
  return {
    metadata: { ...metadata, managedFields: undefined, resourceVersion: undefined },
    spec,
    status: {
      ...status,
      conditions: status?.conditions?.map((condition) => ({ ...condition, lastHeartbeatTime: undefined })),
    },
  };
}

export const node: ResourceDefinition<Node> = {
  resource: nodes,
  singular: 'node',
  shortNames: ['no'],
  columns,
  isForgettable: isHeartbeat,
  selectableFields: { 'spec.unschedulable': ({ spec }) => String(spec?.unschedulable ?? false) },
  strategy: {
    hasGeneration: false,
    // An agent registers with what it has.
    keepsStatusOnCreate: true,
    default: (object) => {
      object.spec ??= {};
      pairPodCidrs(object);
      const { status } = object;
      if (status?.capacity && !status.allocatable) status.allocatable = { ...status.capacity };
    },
    validate: validateNode,
    validateUpdate: validateNodeUpdate,
  },
  subresources: [{ name: 'status' }, { name: 'proxy', connect: true }],
};
