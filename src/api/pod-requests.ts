import { milliValue, wholeValue } from './quantity.ts';
import type { Container, Pod } from './types.gen.ts';

/** Amounts as plain numbers: CPU in thousandths, everything else in whole units. */
export interface Amounts {
  cpuMilli: number;
  memoryBytes: number;
  ephemeralBytes: number;
  /** Extended resources, huge pages and the like; `undefined` where there are none, which is nearly always. */
  others: Map<string, number> | undefined;
}

type Requests = Readonly<Record<string, string | number>> | undefined;

/** Requests that a container without any counts as when nodes are compared (upstream's NonZeroRequested). */
const DEFAULT_CPU_MILLI = 100;
const DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024;

/** What a pod asks for, and what it counts as when nodes are compared. */
export interface PodRequests {
  readonly requests: Amounts;
  readonly nonZero: { readonly cpuMilli: number; readonly memoryBytes: number };
}

/**
 * The most a pod needs at any time: its containers and sidecars together, or the greediest moment of its init
 * containers (each runs beside the sidecars started before it), plus overhead. Requests for the whole pod win over
 * those of its containers (KEP-753, KEP-2837).
 */
export function podRequests(pod: Pod): PodRequests {
  const real = aggregate(pod, (container) => parseAmounts(container.resources?.requests));
  const counted = aggregate(pod, (container) => {
    const requests = container.resources?.requests as Requests;
    const amounts = parseAmounts(requests);
    if (requests?.['cpu'] === undefined) amounts.cpuMilli = DEFAULT_CPU_MILLI;
    if (requests?.['memory'] === undefined) amounts.memoryBytes = DEFAULT_MEMORY_BYTES;
    return amounts;
  });
  return { requests: real, nonZero: { cpuMilli: counted.cpuMilli, memoryBytes: counted.memoryBytes } };
}

function aggregate(pod: Pod, amountsOf: (container: Container) => Amounts): Amounts {
  const { containers, initContainers = [], overhead, resources } = pod.spec ?? { containers: [] };
  const total = noAmounts();
  for (const container of containers) add(total, amountsOf(container));
  const sidecars = noAmounts();
  const initPeak = noAmounts();
  for (const container of initContainers) {
    const amounts = amountsOf(container);
    if (container.restartPolicy === 'Always') {
      add(total, amounts);
      add(sidecars, amounts);
      raise(initPeak, sidecars);
    } else {
      add(amounts, sidecars);
      raise(initPeak, amounts);
    }
  }
  raise(total, initPeak);
  if (resources?.requests) replace(total, resources.requests as Requests);
  add(total, parseAmounts(overhead));
  return total;
}

export function noAmounts(): Amounts {
  return { cpuMilli: 0, memoryBytes: 0, ephemeralBytes: 0, others: undefined };
}

export function parseAmounts(list: Requests): Amounts {
  const amounts = noAmounts();
  for (const [name, quantity] of Object.entries(list ?? {})) {
    if (name === 'cpu') amounts.cpuMilli = milliValue(quantity);
    else if (name === 'memory') amounts.memoryBytes = wholeValue(quantity);
    else if (name === 'ephemeral-storage') amounts.ephemeralBytes = wholeValue(quantity);
    else if (name !== 'pods') {
      amounts.others ??= new Map();
      amounts.others.set(name, wholeValue(quantity));
    }
  }
  return amounts;
}

/** Adds `amounts` to `target`, or takes them away with `sign` -1. */
export function add(target: Amounts, amounts: Amounts, sign: 1 | -1 = 1): void {
  target.cpuMilli += sign * amounts.cpuMilli;
  target.memoryBytes += sign * amounts.memoryBytes;
  target.ephemeralBytes += sign * amounts.ephemeralBytes;
  if (!amounts.others) return;
  target.others ??= new Map();
  for (const [name, amount] of amounts.others) {
    target.others.set(name, (target.others.get(name) ?? 0) + sign * amount);
  }
}

function raise(target: Amounts, amounts: Amounts): void {
  target.cpuMilli = Math.max(target.cpuMilli, amounts.cpuMilli);
  target.memoryBytes = Math.max(target.memoryBytes, amounts.memoryBytes);
  target.ephemeralBytes = Math.max(target.ephemeralBytes, amounts.ephemeralBytes);
  for (const [name, amount] of amounts.others ?? []) {
    target.others ??= new Map();
    target.others.set(name, Math.max(target.others.get(name) ?? 0, amount));
  }
}

/** Requests of the pod as a whole exist for CPU, memory and huge pages. */
function replace(target: Amounts, list: Requests): void {
  const amounts = parseAmounts(list);
  if (list?.['cpu'] !== undefined) target.cpuMilli = amounts.cpuMilli;
  if (list?.['memory'] !== undefined) target.memoryBytes = amounts.memoryBytes;
  for (const [name, amount] of amounts.others ?? []) {
    target.others ??= new Map();
    target.others.set(name, amount);
  }
}
