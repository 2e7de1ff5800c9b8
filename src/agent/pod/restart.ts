import type { Container, Pod } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { ContainerRecord, Termination } from './state.ts';

/** Whether a run that ended is followed by another (KEP-753 sidecars, KEP-5307 container restart rules). */
export function shouldRestart(pod: Pod, record: ContainerRecord, exitCode: number): boolean {
  if (record.kind === 'ephemeral') return false;
  if (record.kind === 'sidecar') return true;
  const spec = record.spec as Container;
  for (const rule of spec.restartPolicyRules ?? []) {
    const codes = rule.exitCodes;
    if (codes === undefined || rule.action !== 'Restart') continue;
    const listed = (codes.values ?? []).includes(exitCode);
    if (codes.operator === 'NotIn' ? !listed : listed) return true;
  }
  const policy = spec.restartPolicy ?? pod.spec?.restartPolicy ?? 'Always';
  if (record.kind === 'init') return exitCode !== 0 && policy !== 'Never';
  if (policy === 'Always') return true;
  return policy === 'OnFailure' && exitCode !== 0;
}

/** Monotonic instant before which the container must not start again; undefined: now. As upstream's `doBackOff`. */
export function restartDue(record: ContainerRecord, ended: Termination): number | undefined {
  const { backoff } = record;
  if (backoff === undefined) return undefined;
  if (ended.finishedMono - backoff.updatedMono > 2 * LIMITS.agent.crashBackoffMaxMs) return undefined;
  return ended.finishedMono + backoff.delayMs;
}

/** The back-off that holds after a restart now: 10 s, doubled up to 5 min, forgotten after 10 min of quiet. */
export function nextBackoff(
  record: ContainerRecord,
  nowMono: number,
): { readonly delayMs: number; readonly updatedMono: number } {
  const { crashBackoffMs, crashBackoffMaxMs } = LIMITS.agent;
  const old = record.backoff;
  const fresh = old === undefined || nowMono - old.updatedMono > 2 * crashBackoffMaxMs;
  return {
    delayMs: fresh ? crashBackoffMs : Math.min(old.delayMs * 2, crashBackoffMaxMs),
    updatedMono: nowMono,
  };
}

/** `name_namespace(uid)`, the form of a pod in upstream's messages. */
export function podLabel(pod: Pod): string {
  return `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
}
