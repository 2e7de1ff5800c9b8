/** Protobuf messages by name, decoded from their generated lines when first met. */
import { brotliDecompressSync } from 'node:zlib';
import { MESSAGE_LINES } from './messages.gen.ts';

export type ScalarType = 's' | 'b' | 'i' | 'l' | 'y' | 'd';

export class MessageField {
  /** In JSON; empty for a message whose fields stand among its parent's there. */
  readonly name: string;
  readonly shape: 'one' | 'list' | 'map';
  readonly type: ScalarType | 'message';
  readonly #table: MessageTable;
  readonly #index: number;

  /** From a row such as `["containers", "[]#12"]`, `["data", "map:s"]`, `["name", "s"]`. */
  constructor(table: MessageTable, [name, text]: readonly [name: string, type: string]) {
    const type = text.replace(/^\[\]|^map:/, '');
    this.name = name;
    this.shape = text.startsWith('[]') ? 'list' : text.startsWith('map:') ? 'map' : 'one';
    this.type = type.startsWith('#') ? 'message' : (type as ScalarType);
    this.#table = table;
    this.#index = this.type === 'message' ? Number(type.slice(1)) : -1;
  }

  /** The message that a field of type `message` holds. */
  get message(): Message {
    return this.#table.at(this.#index);
  }
}

export interface Message {
  /** `io.k8s.api.core.v1.Pod` */
  readonly name: string;
  /** By number. */
  readonly fields: ReadonlyMap<number, MessageField>;
}

export class MessageTable {
  readonly #lines: readonly string[];
  readonly #decoded = new Map<number, Message>();
  /** Lines from here on are sorted by themselves. */
  readonly #sortedFrom: readonly number[];

  constructor(lines: readonly string[], sortedFrom: readonly number[] = [0]) {
    this.#lines = lines;
    this.#sortedFrom = sortedFrom;
  }

  at(index: number): Message {
    let message = this.#decoded.get(index);
    if (message === undefined) {
      const line = JSON.parse(this.#lines[index] ?? '{}') as {
        n: string;
        f: Record<string, [name: string, type: string]>;
      };
      const rows = Object.entries(line.f);
      const fields = rows.map(([number, row]) => [Number(number), new MessageField(this, row)] as const);
      message = { name: line.n, fields: new Map(fields) };
      this.#decoded.set(index, message);
    }
    return message;
  }

  named(name: string): Message | undefined {
    for (const [part, start] of this.#sortedFrom.entries()) {
      const index = this.#indexOf(name, start, (this.#sortedFrom[part + 1] ?? this.#lines.length) - 1);
      if (index !== undefined) return this.at(index);
    }
    return undefined;
  }

  /** Lines are sorted by name; the name is read without decoding the line. */
  #indexOf(name: string, first: number, last: number): number | undefined {
    let low = first;
    let high = last;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const line = this.#lines[middle] ?? '';
      const found = line.slice('{"n":"'.length, line.indexOf('"', '{"n":"'.length));
      if (found === name) return middle;
      if (found < name) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }
}

/** The messages of all versions that are served. */
export const SERVED_MESSAGES = new MessageTable(MESSAGE_LINES);

/** Where the messages of versions that are not served are, for `readAsset`. */
export const OTHER_MESSAGES_ASSET = 'api/decode/assets/other-messages.br';

/** All messages, from the asset's bytes. Costs a millisecond: read it when a body asks for it, and let go of it. */
export function withOtherMessages(compressed: Uint8Array): MessageTable {
  const others = brotliDecompressSync(compressed).toString('utf8').split('\n');
  return new MessageTable([...MESSAGE_LINES, ...others], [0, MESSAGE_LINES.length]);
}

const PACKAGES: Readonly<Record<string, string>> = {
  '': 'io.k8s.api.core',
  'apiextensions.k8s.io': 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
  'apiregistration.k8s.io': 'io.k8s.kube-aggregator.pkg.apis.apiregistration',
  'internal.apiserver.k8s.io': 'io.k8s.api.apiserverinternal',
};

/** The message of a kind; options and other kinds of the API machinery belong to every group. */
export function messageOfKind(
  table: MessageTable,
  { group, version, kind }: { readonly group: string; readonly version: string; readonly kind: string },
): Message | undefined {
  const folder = Object.hasOwn(PACKAGES, group) ? PACKAGES[group] : `io.k8s.api.${group.split('.', 1)[0]}`;
  return (
    table.named(`${folder}.${version}.${kind}`) ?? table.named(`io.k8s.apimachinery.pkg.apis.meta.v1.${kind}`)
  );
}
