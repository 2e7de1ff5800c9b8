import ipaddr from 'ipaddr.js';
import type { Node } from '../../api/types.gen.ts';

/** One node that gets a block of pod addresses. */
export interface CidrAssignment {
  readonly node: string;
  readonly podCIDR: string;
}

/**
 * Gives every node without `spec.podCIDR` the lowest free block of `maskSize` bits in `clusterCIDR` (upstream's
 * RangeAllocator). Nodes beyond the last block are named in `exhausted`.
 */
export function planPodCidrs(
  nodes: readonly Node[],
  clusterCIDR: string,
  maskSize: number,
): { readonly assignments: readonly CidrAssignment[]; readonly exhausted: readonly string[] } {
  const taken = new Set(nodes.map(({ spec }) => spec?.podCIDR).filter((cidr) => cidr !== undefined));
  const waiting = nodes.filter(
    ({ spec, metadata }) => !spec?.podCIDR && metadata.deletionTimestamp === undefined,
  );
  const assignments: CidrAssignment[] = [];
  const exhausted: string[] = [];
  const free = freeBlocks(clusterCIDR, maskSize, taken);
  for (const { metadata } of [...waiting].sort(byAge)) {
    const next = free.next();
    if (next.done) exhausted.push(metadata.name ?? '');
    else assignments.push({ node: metadata.name ?? '', podCIDR: next.value });
  }
  return { assignments, exhausted };
}

function byAge(a: Node, b: Node): number {
  const [first, second] = [a, b].map(
    ({ metadata }) => `${metadata.creationTimestamp ?? ''}/${metadata.name}`,
  );
  return (first ?? '') < (second ?? '') ? -1 : 1;
}

function* freeBlocks(
  clusterCIDR: string,
  maskSize: number,
  taken: ReadonlySet<string>,
): Generator<string, undefined> {
  const [base, bits] = ipaddr.parseCIDR(clusterCIDR);
  const width = base.kind() === 'ipv4' ? 32 : 128;
  const first = toBigInt(base.toByteArray());
  const step = 1n << BigInt(width - maskSize);
  const count = 1n << BigInt(Math.max(0, maskSize - bits));
  for (let index = 0n; index < count; index++) {
    const cidr = `${fromBigInt(first + index * step, width)}/${maskSize}`;
    if (!taken.has(cidr)) yield cidr;
  }
  return undefined;
}

function toBigInt(bytes: readonly number[]): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function fromBigInt(value: bigint, width: number): string {
  const bytes = Array.from({ length: width / 8 }, (_, index) =>
    Number((value >> BigInt(width - 8 - index * 8)) & 0xffn),
  );
  return ipaddr.fromByteArray(bytes).toString();
}
