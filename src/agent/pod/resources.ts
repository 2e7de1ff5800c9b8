import { milliValue, wholeValue } from '../../api/quantity.ts';
import type { Container, Pod } from '../../api/types.gen.ts';
import type { ContainerResources } from '../../runtime/port.ts';
import { oomScoreAdj } from './qos.ts';

const PERIOD_MICROS = 100_000;
const MIN_QUOTA_MICROS = 1000;

/** Requests and limits as the kernel's numbers, as upstream's `milliCPUToShares` and `milliCPUToQuota`. */
export function containerResources(
  pod: Pod,
  container: Container,
  memoryCapacityBytes: number,
): ContainerResources {
  const limits = container.resources?.limits ?? {};
  const requests = container.resources?.requests ?? {};
  const cpuRequest = milliValue(requests['cpu'] ?? limits['cpu']);
  const cpuLimit = milliValue(limits['cpu']);
  const memoryLimit = wholeValue(limits['memory']);
  return {
    cpuShares: Math.min(262_144, Math.max(2, Math.floor((cpuRequest * 1024) / 1000))),
    ...(cpuLimit > 0
      ? {
          cpuQuotaMicros: Math.max(MIN_QUOTA_MICROS, Math.floor((cpuLimit * PERIOD_MICROS) / 1000)),
          cpuPeriodMicros: PERIOD_MICROS,
        }
      : {}),
    ...(memoryLimit > 0 ? { memoryLimitBytes: memoryLimit } : {}),
    oomScoreAdj: oomScoreAdj(pod, container, memoryCapacityBytes),
  };
}
