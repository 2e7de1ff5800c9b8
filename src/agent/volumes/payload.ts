import type { ConfigMap, KeyToPath, Secret } from '../../api/types.gen.ts';

/** A file of a ConfigMap, Secret, downward API or projected volume. */
export interface PayloadFile {
  readonly data: Buffer;
  readonly mode: number;
  /** Owner; the agent's own user otherwise. */
  readonly uid?: number;
}
/** By path below the volume. */
export type Payload = Map<string, PayloadFile>;

/** The parts of a ConfigMap or Secret that become files. */
export interface KeyedData {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly namespace: string;
  readonly name: string;
  readonly entries: ReadonlyMap<string, Buffer>;
}

export function configMapData(object: ConfigMap): KeyedData {
  const entries = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(object.data ?? {})) entries.set(key, Buffer.from(text, 'utf8'));
  for (const [key, text] of Object.entries(object.binaryData ?? {}))
    entries.set(key, Buffer.from(text, 'base64'));
  return { kind: 'ConfigMap', ...nameOf(object), entries };
}

export function secretData(object: Secret): KeyedData {
  const entries = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(object.data ?? {})) entries.set(key, Buffer.from(text, 'base64'));
  return { kind: 'Secret', ...nameOf(object), entries };
}

function nameOf(object: ConfigMap | Secret): { namespace: string; name: string } {
  return { namespace: object.metadata.namespace ?? '', name: object.metadata.name ?? '' };
}

/** All keys, or those of `items` at their paths. Throws upstream's message when an item's key is missing. */
export function selectKeys(
  source: KeyedData,
  items: readonly KeyToPath[] | undefined,
  defaultMode: number,
  optional: boolean,
): Payload {
  const payload: Payload = new Map();
  if (items === undefined || items.length === 0) {
    for (const [key, data] of source.entries) payload.set(key, { data, mode: defaultMode });
    return payload;
  }
  for (const { key, path, mode } of items) {
    const data = source.entries.get(key);
    if (data !== undefined) payload.set(safePath(path), { data, mode: mode ?? defaultMode });
    else if (!optional) {
      const what = source.kind === 'Secret' ? 'secret' : 'config';
      throw new Error(`references non-existent ${what} key: ${key}`);
    }
  }
  return payload;
}

/** Refuses what would leave the volume; the API validates the same, but a file system is no place to trust it. */
export function safePath(path: string): string {
  const parts = path.split('/');
  if (path === '' || path.startsWith('/') || parts.includes('..') || path.startsWith('..'))
    throw new Error(`invalid path ${JSON.stringify(path)} in a volume: must be relative and without '..'`);
  return parts.filter((part) => part !== '' && part !== '.').join('/');
}
