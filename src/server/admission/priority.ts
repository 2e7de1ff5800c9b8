import { priorityClasses } from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { Pod, PriorityClass } from '../../api/types.gen.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './port.ts';
import { refuse } from './refuse.ts';

/** Known even where their objects are missing (a cluster that is just starting). */
const SYSTEM_CLASSES: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};

interface Resolved {
  readonly className: string;
  readonly priority: number;
  readonly preemptionPolicy: string;
}

/** Turns `priorityClassName` into a number; keeps one PriorityClass as the default at most. */
export function priority(): AdmissionPlugin {
  return {
    name: 'Priority',
    concerns: ({ operation, resource, subresource }) =>
      subresource === '' &&
      (operation === 'CREATE' || operation === 'UPDATE') &&
      ((resource.group === '' && resource.resource === 'pods') ||
        (resource.group === priorityClasses.group && resource.resource === priorityClasses.resource)),
    async mutate(attributes) {
      if (attributes.resource.resource !== 'pods') return;
      const pod = attributes.object as Pod;
      if (pod.spec === undefined) return;
      if (attributes.operation === 'UPDATE') keep(pod, attributes.oldObject as Pod);
      else await resolveInto(attributes, pod);
    },
    async validate(attributes) {
      if (attributes.resource.resource === 'priorityclasses') await checkSingleDefault(attributes);
    },
  };
}

/** A client that sends a pod back without these fields does not mean to change them. */
function keep({ spec }: Pod, old: Pod): void {
  if (spec === undefined || old.spec === undefined) return;
  if (spec.priority === undefined && old.spec.priority !== undefined) spec.priority = old.spec.priority;
  if (spec.preemptionPolicy === undefined && old.spec.preemptionPolicy !== undefined) {
    spec.preemptionPolicy = old.spec.preemptionPolicy;
  }
}

async function resolveInto(attributes: AdmissionAttributes, { spec }: Pod): Promise<void> {
  if (spec === undefined) return;
  const resolved = spec.priorityClassName
    ? await byName(attributes, spec.priorityClassName)
    : await byDefault(attributes);
  const computed = 'priority admission controller computed';
  if (spec.priority !== undefined && spec.priority !== resolved.priority) {
    const why = `the integer value of priority (${spec.priority}) must not be provided in pod spec; ${computed} ${resolved.priority} from the given PriorityClass name`;
    throw refuse(attributes, why);
  }
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== resolved.preemptionPolicy) {
    const why = `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; ${computed} ${resolved.preemptionPolicy} from the given PriorityClass name`;
    throw refuse(attributes, why);
  }
  if (resolved.className) spec.priorityClassName = resolved.className;
  spec.priority = resolved.priority;
  spec.preemptionPolicy = resolved.preemptionPolicy;
}

const resolvedFrom = ({ metadata, value, preemptionPolicy }: PriorityClass): Resolved => ({
  className: metadata.name ?? '',
  priority: value ?? 0,
  preemptionPolicy: preemptionPolicy ?? 'PreemptLowerPriority',
});

async function byName(attributes: AdmissionAttributes, name: string): Promise<Resolved> {
  try {
    return resolvedFrom(await attributes.client.get(priorityClasses, { name }));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const value = Object.hasOwn(SYSTEM_CLASSES, name) ? SYSTEM_CLASSES[name] : undefined;
    if (value !== undefined)
      return { className: name, priority: value, preemptionPolicy: 'PreemptLowerPriority' };
    throw refuse(attributes, `no PriorityClass with name ${name} was found`);
  }
}

/** The class marked as default; the lowest, should there be several. */
async function byDefault({ client }: AdmissionAttributes): Promise<Resolved> {
  const { items } = await client.list(priorityClasses);
  const [lowest] = items.filter((one) => one.globalDefault).sort((a, b) => (a.value ?? 0) - (b.value ?? 0));
  return lowest
    ? resolvedFrom(lowest)
    : { className: '', priority: 0, preemptionPolicy: 'PreemptLowerPriority' };
}

async function checkSingleDefault(attributes: AdmissionAttributes): Promise<void> {
  const submitted = attributes.object as PriorityClass;
  if (!submitted.globalDefault) return;
  const { items } = await attributes.client.list(priorityClasses);
  const other = items.find((one) => one.globalDefault && one.metadata.name !== submitted.metadata.name);
  if (other) {
    throw refuse(
      attributes,
      `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
    );
  }
}
