/** One nftables table as data: what is wanted, to be compared with what was applied last. */
export interface NftTable {
  readonly family: 'inet';
  readonly name: string;
  /** By name. Their elements come and go with the packets and survive changes of the rest. */
  readonly dynamicSets: ReadonlyMap<string, string>;
  readonly sets: ReadonlyMap<string, NftSet>;
  readonly maps: ReadonlyMap<string, NftMap>;
  readonly chains: ReadonlyMap<string, NftChain>;
}

export interface NftSet {
  /** `ipv4_addr` */
  readonly type: string;
  readonly elements: ReadonlySet<string>;
}

export interface NftMap {
  /** `ipv4_addr . inet_proto . inet_service : verdict` */
  readonly type: string;
  /** Key → value. */
  readonly elements: ReadonlyMap<string, string>;
}

export interface NftChain {
  /** `type nat hook prerouting priority -100; policy accept;` for a base chain. */
  readonly hook?: string;
  readonly rules: readonly string[];
}

/** Replaces whatever the table holds, in one transaction. */
export function replaceScript(table: NftTable): string {
  const name = `${table.family} ${table.name}`;
  const empty: NftTable = {
    ...table,
    dynamicSets: new Map(),
    sets: new Map(),
    maps: new Map(),
    chains: new Map(),
  };
  return `add table ${name}\ndelete table ${name}\nadd table ${name}\n${changeScript(empty, table)}`;
}

/** Deletes the table, whether it is there or not. */
export function removeScript(table: Pick<NftTable, 'family' | 'name'>): string {
  const name = `${table.family} ${table.name}`;
  return `add table ${name}\ndelete table ${name}\n`;
}

/**
 * The transaction that turns one table into another and leaves alone what is the same in both; empty when nothing
 * differs. Order matters: what is referred to is made before and removed after what refers to it.
 */
export function changeScript(from: NftTable, to: NftTable): string {
  const name = `${to.family} ${to.name}`;
  const lines: string[] = [];
  for (const [set, type] of to.dynamicSets) {
    if (!from.dynamicSets.has(set)) lines.push(`add set ${name} ${set} { ${type} }`);
  }
  for (const [set, { type, elements }] of to.sets) {
    const before = from.sets.get(set);
    if (!before) lines.push(`add set ${name} ${set} { type ${type}; }`);
    lines.push(...memberChanges(`${name} ${set}`, before?.elements ?? new Set(), elements));
  }
  for (const [chain, { hook }] of to.chains) {
    if (!from.chains.has(chain))
      lines.push(`add chain ${name} ${chain}${hook === undefined ? '' : ` { ${hook} }`}`);
  }
  for (const [map, { type, elements }] of to.maps) {
    const before = from.maps.get(map);
    if (!before) lines.push(`add map ${name} ${map} { type ${type}; }`);
    lines.push(...elementChanges(`${name} ${map}`, before?.elements ?? new Map(), elements));
  }
  for (const [chain, { rules }] of to.chains) {
    const before = from.chains.get(chain)?.rules ?? [];
    if (sameList(before, rules)) continue;
    if (before.length > 0) lines.push(`flush chain ${name} ${chain}`);
    for (const rule of rules) lines.push(`add rule ${name} ${chain} ${rule}`);
  }
  const gone = [...from.chains.keys()].filter((chain) => !to.chains.has(chain));
  // Flushed first: they may refer to one another.
  for (const chain of gone) lines.push(`flush chain ${name} ${chain}`);
  for (const map of from.maps.keys()) if (!to.maps.has(map)) lines.push(`delete map ${name} ${map}`);
  for (const chain of gone) lines.push(`delete chain ${name} ${chain}`);
  for (const set of from.sets.keys()) if (!to.sets.has(set)) lines.push(`delete set ${name} ${set}`);
  for (const set of from.dynamicSets.keys()) {
    if (!to.dynamicSets.has(set)) lines.push(`delete set ${name} ${set}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function memberChanges(name: string, from: ReadonlySet<string>, to: ReadonlySet<string>): readonly string[] {
  const gone = [...from.difference(to)];
  const come = [...to.difference(from)];
  return [
    ...(gone.length > 0 ? [`delete element ${name} { ${gone.join(', ')} }`] : []),
    ...(come.length > 0 ? [`add element ${name} { ${come.join(', ')} }`] : []),
  ];
}

function elementChanges(
  name: string,
  from: ReadonlyMap<string, string>,
  to: ReadonlyMap<string, string>,
): readonly string[] {
  const gone = [...from].filter(([key, value]) => to.get(key) !== value);
  const come = [...to].filter(([key, value]) => from.get(key) !== value);
  const list = (elements: readonly (readonly [string, string])[]): string =>
    elements.map(([key, value]) => `${key} : ${value}`).join(', ');
  return [
    ...(gone.length > 0 ? [`delete element ${name} { ${list(gone)} }`] : []),
    ...(come.length > 0 ? [`add element ${name} { ${list(come)} }`] : []),
  ];
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
