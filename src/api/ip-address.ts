/** An IP address as a number. */
export interface Address {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

export const widthOf = ({ family }: Pick<Address, 'family'>): number => (family === 4 ? 32 : 128);

/** Strictly as Go's netip.ParseAddr: no leading zeros, no short forms of IPv4, no zone. */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) {
    const bits = parseDotted(text);
    return bits === undefined ? undefined : { family: 4, bits };
  }
  const bits = parseGroups(text);
  return bits === undefined ? undefined : { family: 6, bits };
}

function parseDotted(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let bits = 0n;
  for (const part of parts) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bits = (bits << 8n) | BigInt(part);
  }
  return bits;
}

function parseGroups(text: string): bigint | undefined {
  if (text.length > 45) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [before, after] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const all = [...(before ?? []), ...(after ?? [])];
  const dotted = all.at(-1)?.includes('.') ? parseDotted(all.pop()!) : undefined;
  if (dotted === undefined && halves.at(-1)?.includes('.')) return undefined;
  const tail = dotted === undefined ? [] : [(dotted >> 16n).toString(16), (dotted & 0xffffn).toString(16)];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  const count = all.length + tail.length;
  if (after === undefined ? count !== 8 : count > 7) return undefined;
  const lead = before?.length ?? 0;
  const isDottedInFront = dotted !== undefined && after === undefined;
  const front = isDottedInFront ? all : all.slice(0, lead);
  const back = isDottedInFront ? tail : [...all.slice(lead), ...tail];
  const groups = [...front, ...Array<string>(8 - count).fill('0'), ...back];
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}

/** The canonical text (RFC 5952). */
export function formatAddress({ family, bits }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((bits >> BigInt(112 - index * 16)) & 0xffffn).toString(16),
  );
  const zeros = [...groups.join(':').matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)];
  const longest = zeros.reduce((best, [run]) => (run.length > best.length ? run : best), '');
  const text = groups.join(':');
  if (longest === '') return text;
  const at = zeros.find(([run]) => run === longest)?.index ?? 0;
  const front = text.slice(0, at).replace(/:$/, '');
  const back = text.slice(at + longest.length).replace(/^:/, '');
  return `${front}::${back}`;
}
