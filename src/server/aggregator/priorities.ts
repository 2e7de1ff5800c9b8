import { stabilityOf } from '../../api/discovery/resource.ts';

export interface Priorities {
  readonly groupPriorityMinimum: number;
  readonly versionPriority: number;
}

/** Where built-in groups stand in discovery: upstream's `apiVersionPriorities`. */
const GROUPS: Readonly<Record<string, number>> = {
  '': 18_000,
  apps: 17_800,
  'events.k8s.io': 17_750,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'apiextensions.k8s.io': 16_700,
  'admissionregistration.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'node.k8s.io': 16_300,
  'discovery.k8s.io': 16_200,
  'flowcontrol.apiserver.k8s.io': 16_100,
  'internal.apiserver.k8s.io': 16_000,
  'resource.k8s.io': 15_900,
  'storagemigration.k8s.io': 15_800,
};

const VERSIONS: Readonly<Record<string, number>> = {
  '/v1': 1,
  'autoscaling/v2': 30,
  'flowcontrol.apiserver.k8s.io/v1': 21,
};
const BY_STABILITY = { stable: 15, beta: 9, alpha: 1, other: 1 } as const;

/** Of the group that serves APIServices itself: above whatever anybody may ask for. It has no APIService. */
export const OWN_GROUP = { group: 'apiregistration.k8s.io', groupPriorityMinimum: 20_001 } as const;

/** Custom resources come after what is built in; their versions are ordered by name alone. */
export const CUSTOM: Priorities = { groupPriorityMinimum: 1000, versionPriority: 100 };

export function builtInPriorities(group: string, version: string): Priorities {
  return {
    // A group that upstream does not know comes last of them.
    groupPriorityMinimum: GROUPS[group] ?? 15_000,
    versionPriority: VERSIONS[`${group}/${version}`] ?? BY_STABILITY[stabilityOf(version)],
  };
}
