import { notSupported, required } from '../../../api/field-errors.ts';
import { conflict, type FieldError, invalid } from '../../../api/status.ts';
import type { Binding, Pod, PodCondition } from '../../../api/types.gen.ts';
import type { Subresource } from '../../registry/definition.ts';
import { successStatus } from './success-status.ts';

function validateBinding({ target }: Binding): FieldError[] {
  const errors: FieldError[] = [];
  if (target?.kind && target.kind !== 'Node') {
    errors.push(notSupported('target.kind', target.kind, ['Node', '<empty>']));
  }
  if (!target?.name) errors.push(required('target.name'));
  return errors;
}

/** The pod on its node, with the condition that says so. Throws 409 where it must not be placed (any more). */
function bindPod(pod: Pod, binding: Binding, now: string): Pod {
  const name = pod.metadata.name ?? '';
  const refuse = (why: string): never => {
    throw conflict({ group: '', resource: 'pods/binding' }, name, why);
  };
  const { uid, annotations, labels } = binding.metadata ?? {};
  if (uid && uid !== pod.metadata.uid) {
    refuse(`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`);
  }
  if (pod.metadata.deletionTimestamp) refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  const { spec } = pod;
  if (spec === undefined) return refuse(`pod ${name} has no spec`);
  if (spec.nodeName) refuse(`pod ${name} is already assigned to node ${JSON.stringify(spec.nodeName)}`);
  if (spec.schedulingGates?.length) refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  const scheduled: PodCondition = { type: 'PodScheduled', status: 'True', lastTransitionTime: now };
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  const metadata = {
    ...pod.metadata,
    ...(annotations && { annotations: { ...pod.metadata.annotations, ...annotations } }),
    ...(labels && { labels: { ...labels, ...pod.metadata.labels } }),
  };
  return {
    ...pod,
    metadata,
    spec: { ...spec, nodeName: binding.target.name as string },
    status: { ...pod.status, conditions: [...others, scheduled] },
  };
}

/** How the scheduler places a pod: upstream's pods/binding. */
export const bindingSubresource: Subresource<Pod> = {
  name: 'binding',
  kind: { group: '', version: 'v1', kind: 'Binding' },
  create: async ({ name, body, context, modify }) => {
    const binding = body as Binding;
    const errors = validateBinding(binding);
    if (errors.length > 0) throw invalid({ group: '', kind: 'Binding' }, name, errors);
    await modify((pod) => bindPod(pod, binding, context.now()));
    return successStatus(201);
  },
};
