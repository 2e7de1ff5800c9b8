import { addQuantities, compareQuantities, parseQuantity } from '../../../api/quantity.ts';
import type { PodSpec } from '../../../api/types.gen.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';
const COUNTED = ['cpu', 'memory'] as const;

/** The quality-of-service class of a pod (pkg/apis/core/helper/qos): fixed once the pod is created. */
export function qosClass(spec: PodSpec): QosClass {
  const holders =
    spec.resources === undefined ? [...(spec.containers ?? []), ...(spec.initContainers ?? [])] : [spec];
  const requests = new Map<string, ReturnType<typeof parseQuantity>>();
  const limits = new Map<string, ReturnType<typeof parseQuantity>>();
  let everyHolderLimited = true;
  for (const { resources } of holders) {
    let limited = 0;
    for (const name of COUNTED) {
      const request = positive(resources?.requests?.[name]);
      if (request !== undefined) requests.set(name, sum(requests.get(name), request));
      const limit = positive(resources?.limits?.[name]);
      if (limit === undefined) continue;
      limits.set(name, sum(limits.get(name), limit));
      limited++;
    }
    if (limited < COUNTED.length) everyHolderLimited = false;
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  const equal = [...requests].every(([name, request]) => {
    const limit = limits.get(name);
    return limit !== undefined && compareQuantities(limit, request) === 0;
  });
  return everyHolderLimited && equal && requests.size === limits.size ? 'Guaranteed' : 'Burstable';
}

type Parsed = ReturnType<typeof parseQuantity>;
const sum = (left: Parsed | undefined, right: Parsed): Parsed =>
  left === undefined ? right : addQuantities(left, right);

function positive(quantity: string | undefined): Parsed | undefined {
  if (quantity === undefined) return undefined;
  const parsed = parseQuantity(quantity);
  return parsed.nano > 0n ? parsed : undefined;
}
