import { addQuantities, compareQuantities, formatQuantity } from './quantity.ts';
import type { KubeObject } from './resource.ts';
import type { PersistentVolumeClaim, Pod, Quantity, ResourceQuotaSpec, Service } from './types.gen.ts';

export type Usage = Record<string, Quantity>;

/** What one object counts against a ResourceQuota (upstream's pkg/quota/v1/evaluator). */
export function quotaUsage(resource: { group: string; resource: string }, object: KubeObject): Usage {
  const count = { [`count/${resource.resource}${resource.group === '' ? '' : `.${resource.group}`}`]: '1' };
  if (resource.group !== '') return count;
  switch (resource.resource) {
    case 'pods':
      // `count/pods` counts what is stored, `pods` and the rest what is not over.
      return isFinished(object) ? count : { ...count, ...podUsage(object) };
    case 'services':
      return { ...count, ...serviceUsage(object) };
    case 'persistentvolumeclaims':
      return { ...count, ...claimUsage(object as PersistentVolumeClaim) };
    case 'configmaps':
    case 'secrets':
    case 'replicationcontrollers':
    case 'resourcequotas':
      return { ...count, [resource.resource]: '1' };
    default:
      return count;
  }
}

const isFinished = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

function podUsage({ spec }: Pod): Usage {
  const usage: Usage = { pods: '1' };
  for (const part of ['requests', 'limits'] as const) {
    const total: Usage = {};
    for (const { resources } of spec?.containers ?? []) addUsage(total, resources?.[part]);
    const peak: Usage = {};
    const sidecars: Usage = {};
    for (const { resources, restartPolicy } of spec?.initContainers ?? []) {
      if (restartPolicy === 'Always') {
        addUsage(total, resources?.[part]);
        addUsage(sidecars, resources?.[part]);
        continue;
      }
      const together = { ...sidecars };
      addUsage(together, resources?.[part]);
      raiseUsage(peak, together);
    }
    raiseUsage(total, peak);
    Object.assign(total, spec?.resources?.[part]);
    if (Object.keys(total).length > 0) addUsage(total, spec?.overhead);
    for (const [name, quantity] of Object.entries(total)) {
      usage[`${part}.${name}`] = quantity;
      // Requests go by their short names too.
      if (part === 'requests' && ['cpu', 'memory', 'ephemeral-storage'].includes(name))
        usage[name] = quantity;
    }
  }
  return usage;
}

function serviceUsage({ spec }: Service): Usage {
  const usage: Usage = { services: '1' };
  const ports = spec?.ports?.length ?? 0;
  if (spec?.type === 'NodePort') usage['services.nodeports'] = String(ports);
  if (spec?.type === 'LoadBalancer') {
    usage['services.loadbalancers'] = '1';
    if (spec.allocateLoadBalancerNodePorts !== false) usage['services.nodeports'] = String(ports);
  }
  return usage;
}

function claimUsage({ spec }: PersistentVolumeClaim): Usage {
  const usage: Usage = { persistentvolumeclaims: '1' };
  const size = spec?.resources?.requests?.storage;
  const ofClass = spec?.storageClassName && `${spec.storageClassName}.storageclass.storage.k8s.io`;
  if (ofClass) usage[`${ofClass}/persistentvolumeclaims`] = '1';
  if (size !== undefined) {
    usage['requests.storage'] = size;
    if (ofClass) usage[`${ofClass}/requests.storage`] = size;
  }
  return usage;
}

/** Adds `more` to `sum`, in place. */
export function addUsage(sum: Usage, more: Readonly<Usage> | undefined): void {
  for (const [name, quantity] of Object.entries(more ?? {})) {
    const present = sum[name];
    sum[name] = present === undefined ? quantity : formatQuantity(addQuantities(present, quantity));
  }
}

function raiseUsage(list: Usage, floor: Readonly<Usage>): void {
  for (const [name, quantity] of Object.entries(floor)) {
    const present = list[name];
    if (present === undefined || compareQuantities(present, quantity) < 0) list[name] = quantity;
  }
}

/** Whether a quota's scopes include a pod; quotas without scopes include everything. */
export function quotaIncludes(spec: ResourceQuotaSpec | undefined, pod: Pod | undefined): boolean {
  const scopes = [
    ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists', values: [] as string[] })),
    ...(spec?.scopeSelector?.matchExpressions ?? []),
  ];
  if (scopes.length === 0) return true;
  if (pod === undefined) return false;
  return scopes.every(({ scopeName, operator, values = [] }) => {
    const { spec: podSpec } = pod;
    switch (scopeName) {
      case 'Terminating':
        return podSpec?.activeDeadlineSeconds !== undefined;
      case 'NotTerminating':
        return podSpec?.activeDeadlineSeconds === undefined;
      case 'BestEffort':
        return isBestEffort(pod);
      case 'NotBestEffort':
        return !isBestEffort(pod);
      case 'PriorityClass': {
        const name = podSpec?.priorityClassName ?? '';
        if (operator === 'In') return values.includes(name);
        if (operator === 'NotIn') return !values.includes(name);
        return (operator === 'Exists') === (name !== '');
      }
      default:
        return false;
    }
  });
}

function isBestEffort({ spec }: Pod): boolean {
  const holders = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []),
    { resources: spec?.resources },
  ];
  return holders.every(({ resources }) =>
    ['cpu', 'memory'].every((name) => !resources?.requests?.[name] && !resources?.limits?.[name]),
  );
}
