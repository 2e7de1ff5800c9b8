import { equalJson } from '../../api/json-value.ts';
import type { APIService } from '../../api/types.gen.ts';
import { builtInPriorities, CUSTOM, OWN_GROUP } from './priorities.ts';

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

/** Tells which APIServices are ours: written once at the start, or kept as they should be all the time. */
export const MANAGED_LABEL = 'kube-aggregator.kubernetes.io/automanaged';
const ON_START = 'onstart';
const ALWAYS = 'true';

export interface RegistrationState {
  readonly builtIn: readonly GroupVersion[];
  /** Served because of CustomResourceDefinitions. */
  readonly custom: readonly GroupVersion[];
  readonly present: readonly APIService[];
  /** The first look after a start: only then are those of built-in versions touched. */
  readonly isStart: boolean;
}

export type RegistrationStep =
  | { readonly action: 'create' | 'update'; readonly service: APIService }
  | { readonly action: 'delete'; readonly service: APIService };

/** What makes the local APIServices fit what this server serves (upstream's autoregister controller). Pure. */
export function planRegistration(state: RegistrationState): RegistrationStep[] {
  const wanted = new Map<string, APIService>();
  const add = (service: APIService): void => void wanted.set(service.metadata.name ?? '', service);
  for (const one of state.custom) add(localService(one, CUSTOM, ALWAYS));
  for (const one of state.builtIn) {
    if (one.group === OWN_GROUP.group) continue;
    add(localService(one, builtInPriorities(one.group, one.version), ON_START));
  }
  const present = new Map(state.present.map((one) => [one.metadata.name ?? '', one]));
  const steps: RegistrationStep[] = [];
  for (const [name, service] of wanted) {
    const step = stepFor(service, present.get(name), state.isStart);
    if (step) steps.push(step);
  }
  for (const service of state.present) {
    const managed = service.metadata.labels?.[MANAGED_LABEL];
    if (wanted.has(service.metadata.name ?? '')) continue;
    if (managed === ALWAYS || (managed === ON_START && state.isStart))
      steps.push({ action: 'delete', service });
  }
  return steps;
}

function stepFor(
  wanted: APIService,
  present: APIService | undefined,
  isStart: boolean,
): RegistrationStep | undefined {
  const managed = wanted.metadata.labels?.[MANAGED_LABEL];
  if (managed === ON_START && !isStart) return undefined;
  if (!present) return { action: 'create', service: wanted };
  // Somebody else looks after it.
  if (present.metadata.labels?.[MANAGED_LABEL] === undefined) return undefined;
  if (equalJson(present.spec, wanted.spec)) return undefined;
  return { action: 'update', service: { ...present, spec: wanted.spec! } };
}

function localService(
  { group, version }: GroupVersion,
  priorities: { readonly groupPriorityMinimum: number; readonly versionPriority: number },
  managed: string,
): APIService {
  return {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `${version}.${group}`, labels: { [MANAGED_LABEL]: managed } },
    spec: { ...(group === '' ? {} : { group }), version, ...priorities },
  };
}
