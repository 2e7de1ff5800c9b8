import type { DaemonSet, Deployment, StatefulSet } from '../../api/types.gen.ts';
import { Failure, usageFailure } from '../failure.ts';
import { durationMs } from './delete.ts';
import { pathOf } from './discovery.ts';
import { type Session, targetsOf } from './targets.ts';

/** Waits for a rollout and says how far it is, in kubectl's words. */
export async function rollout(session: Session): Promise<number> {
  const [, verb, ...words] = session.args.positionals;
  if (verb !== 'status') throw usageFailure('only "rollout status" is built in; use kubectl for the rest');
  const [target] = await targetsOf(session, words);
  const name = target?.names[0];
  if (target === undefined || name === undefined)
    throw usageFailure('say which, such as: kedge kubectl rollout status deploy/web');
  const namespace = session.args.get('namespace') ?? session.connection.namespace;
  const query = new URLSearchParams({
    fieldSelector: `metadata.name=${name}`,
    watch: '1',
    resourceVersion: '0',
  });
  const timeoutMs = durationMs(session.args.get('timeout') ?? '0s');
  if (timeoutMs > 0) query.set('timeoutSeconds', String(Math.ceil(timeoutMs / 1000)));
  await session.connection.json('GET', pathOf(target.resource, namespace, name));
  const stream = await session.connection.stream(`${pathOf(target.resource, namespace)}?${query}`);
  let rest = '';
  let said = '';
  for await (const chunk of stream) {
    const parts = (rest + String(chunk)).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      const { type, object } = JSON.parse(line) as { type: string; object: Deployment };
      if (type === 'ERROR' || type === 'BOOKMARK') continue;
      if (type === 'DELETED') throw new Failure(`${name} was deleted`);
      const { done, message } = progress(target.resource.kind, object);
      if (message !== said) session.out(`${message}\n`);
      said = message;
      if (done) {
        stream.destroy();
        return 0;
      }
    }
  }
  throw new Failure('timed out waiting for the condition');
}

/** Upstream's `StatusViewer` sentences for the three kinds that roll out. */
export function progress(
  kind: string,
  object: Deployment | StatefulSet | DaemonSet,
): { done: boolean; message: string } {
  const name = object.metadata.name;
  if ((object.metadata.generation ?? 0) > (object.status?.observedGeneration ?? 0)) {
    return { done: false, message: `Waiting for ${kind.toLowerCase()} spec update to be observed...` };
  }
  if (kind === 'Deployment') return deployment(name, object as Deployment);
  if (kind === 'DaemonSet') return daemonSet(name, object as DaemonSet);
  if (kind === 'StatefulSet') return statefulSet(object as StatefulSet);
  throw usageFailure(`rollout status knows deployments, daemon sets and stateful sets, not ${kind}`);
}

function deployment(
  name: string | undefined,
  { spec, status = {} }: Deployment,
): { done: boolean; message: string } {
  const stuck = status.conditions?.find(
    ({ type, reason }) => type === 'Progressing' && reason === 'ProgressDeadlineExceeded',
  );
  if (stuck) throw new Failure(`deployment "${name}" exceeded its progress deadline`);
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
  const waiting = `Waiting for deployment "${name}" rollout to finish: `;
  if (updatedReplicas < (spec?.replicas ?? 1)) {
    return {
      done: false,
      message: `${waiting}${updatedReplicas} out of ${spec?.replicas} new replicas have been updated...`,
    };
  }
  if (replicas > updatedReplicas) {
    return {
      done: false,
      message: `${waiting}${replicas - updatedReplicas} old replicas are pending termination...`,
    };
  }
  if (availableReplicas < updatedReplicas) {
    return {
      done: false,
      message: `${waiting}${availableReplicas} of ${updatedReplicas} updated replicas are available...`,
    };
  }
  return { done: true, message: `deployment "${name}" successfully rolled out` };
}

function daemonSet(name: string | undefined, { status }: DaemonSet): { done: boolean; message: string } {
  const {
    desiredNumberScheduled: desired = 0,
    updatedNumberScheduled: updated = 0,
    numberAvailable: available = 0,
  } = status ?? {};
  const waiting = `Waiting for daemon set "${name}" rollout to finish: `;
  if (updated < desired)
    return { done: false, message: `${waiting}${updated} out of ${desired} new pods have been updated...` };
  if (available < desired)
    return { done: false, message: `${waiting}${available} of ${desired} updated pods are available...` };
  return { done: true, message: `daemon set "${name}" successfully rolled out` };
}

function statefulSet({ spec, status }: StatefulSet): { done: boolean; message: string } {
  const wanted = spec?.replicas ?? 1;
  const ready = status?.readyReplicas ?? 0;
  if (ready < wanted) return { done: false, message: `Waiting for ${wanted - ready} pods to be ready...` };
  if (status?.updateRevision !== status?.currentRevision) {
    return {
      done: false,
      message: `waiting for statefulset rolling update to complete ${status?.updatedReplicas ?? 0} pods at revision ${status?.updateRevision}...`,
    };
  }
  return {
    done: true,
    message: `statefulset rolling update complete ${wanted} pods at revision ${status?.currentRevision}...`,
  };
}
