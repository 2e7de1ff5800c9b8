/** What to tell people about types and fields; kept compressed until a document is asked for. */
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';

const decompress = promisify(brotliDecompress);

/** Types the asset has nothing about. */
const OWN: Readonly<Record<string, string>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity':
    'Quantity is a fixed-point number with a suffix, such as "100m" (a tenth), "1.5", "64Mi" or "2G". Ki, Mi, Gi, Ti, Pi, Ei are powers of 1024; n, u, m, k, M, G, T, P, E powers of 1000; an exponent such as "1e3" works too.',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time':
    'Time is a point in time in RFC 3339 form, such as "2026-01-02T15:04:05Z".',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime':
    'MicroTime is a point in time in RFC 3339 form with microseconds, such as "2026-01-02T15:04:05.000000Z".',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString':
    'IntOrString is a number, or a string such as the name of a port or a percentage ("25%").',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'RawExtension holds an object of any kind.',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1':
    'FieldsV1 is a set of fields: "f:<name>" is a field, "k:<keys>" an item of a list by its keys, "v:<value>" an item by its value, "." the thing itself.',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Patch': 'Patch is the body of a PATCH request.',
};

/** Descriptions while one document is being written; let go of it afterwards. */
export class Descriptions {
  /** Line of JSON by definition. Lines are decoded one at a time, as they are needed. */
  readonly #lines: ReadonlyMap<string, string>;

  constructor(lines: ReadonlyMap<string, string>) {
    this.#lines = lines;
  }

  /** The description of a type and of its fields; empty where nothing is known. */
  of(definition: string): { readonly about: string; readonly fields: Readonly<Record<string, string>> } {
    const line = this.#lines.get(definition);
    if (line === undefined) {
      return { about: Object.hasOwn(OWN, definition) ? (OWN[definition] ?? '') : '', fields: {} };
    }
    const [, about, fields] = JSON.parse(line) as [string, string, Record<string, string>];
    return { about, fields };
  }
}

/** Where the compressed descriptions are, for `readAsset`. */
export const DESCRIPTIONS_ASSET = 'api/openapi/assets/descriptions.br';

/** Reads the asset's bytes: half a megabyte of text, so keep the result only while a document is being written. */
export async function readDescriptions(compressed: Uint8Array): Promise<Descriptions> {
  const text = (await decompress(compressed)).toString('utf8');
  const lines = new Map<string, string>();
  for (const line of text.split('\n')) lines.set(line.slice(2, line.indexOf('"', 2)), line);
  return new Descriptions(lines);
}

/** No descriptions at all, for tests. */
export const NO_DESCRIPTIONS = new Descriptions(new Map());
