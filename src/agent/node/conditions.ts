import type { NodeCondition } from '../../api/types.gen.ts';
import { rfc3339 } from '../../lib/clock.ts';

export interface NodeHealth {
  /** Why pods cannot run; empty: they can. */
  readonly notReady: readonly string[];
  readonly memoryPressure: boolean;
  readonly diskPressure: boolean;
  readonly pidPressure: boolean;
}

/** A kubelet's four conditions with its reasons and messages; the transition time is kept while a status holds. */
export function nodeConditions(
  health: NodeHealth,
  known: readonly NodeCondition[],
  nowMs: number,
): NodeCondition[] {
  const now = rfc3339(nowMs);
  const condition = (type: string, status: boolean, reason: string, message: string): NodeCondition => {
    const text = status ? 'True' : 'False';
    const old = known.find((entry) => entry.type === type);
    const since = old?.status === text ? (old.lastTransitionTime ?? now) : now;
    return { type, status: text, lastHeartbeatTime: now, lastTransitionTime: since, reason, message };
  };
  const { memoryPressure, diskPressure, pidPressure, notReady } = health;
  return [
    memoryPressure
      ? condition(
          'MemoryPressure',
          true,
          'KubeletHasInsufficientMemory',
          'kubelet has insufficient memory available',
        )
      : condition(
          'MemoryPressure',
          false,
          'KubeletHasSufficientMemory',
          'kubelet has sufficient memory available',
        ),
    diskPressure
      ? condition('DiskPressure', true, 'KubeletHasDiskPressure', 'kubelet has disk pressure')
      : condition('DiskPressure', false, 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    pidPressure
      ? condition('PIDPressure', true, 'KubeletHasInsufficientPID', 'kubelet has insufficient PID available')
      : condition('PIDPressure', false, 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    notReady.length > 0
      ? condition('Ready', false, 'KubeletNotReady', `[${notReady.join(', ')}]`)
      : condition('Ready', true, 'KubeletReady', 'kubelet is posting ready status'),
  ];
}
