/** YAML from clients, read as Go's YAML reads it (1.1 booleans and octals, no timestamps), within bounds. */
import { isUtf8 } from 'node:buffer';
import { isMap, isScalar, LineCounter, parseAllDocuments, type Tags, visit } from 'yaml';
import { LIMITS } from '../../lib/limits.ts';
import { isObject, type JsonObject, setOwn } from '../json-value.ts';

/** Text that is not YAML, or too large to read safely; the message says where. */
export class YamlSyntaxError extends Error {
  override readonly name = 'YamlSyntaxError';
}

export interface ParsedYaml {
  readonly value: unknown;
  /** One line for each repeated key, in the words of Go's YAML. */
  readonly duplicates: readonly string[];
}

/** Types that Go's YAML leaves as strings when it reads into JSON. */
const UNWANTED_TAGS = /:(timestamp|binary|omap|pairs|set)$/;

function wantedTags(tags: Tags): Tags {
  return tags.filter(
    (tag) =>
      typeof tag === 'string' ||
      (!UNWANTED_TAGS.test(tag.tag) && !('format' in tag && tag.format === 'TIME')),
  );
}

/** Parses the first document of a body. Throws {@link YamlSyntaxError}. */
export function parseYaml(bytes: Uint8Array): ParsedYaml {
  if (bytes.length > LIMITS.api.yamlBytes) {
    throw new YamlSyntaxError(
      `yaml: document is larger than ${LIMITS.api.yamlBytes} bytes; send JSON instead`,
    );
  }
  if (!isUtf8(bytes)) throw new YamlSyntaxError('yaml: invalid UTF-8');
  try {
    return parseDocument(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (error) {
    if (error instanceof YamlSyntaxError) throw error;
    // The parser recurses: text of thousands of open brackets ends here.
    if (error instanceof RangeError) throw new YamlSyntaxError('yaml: exceeded max depth');
    if (error instanceof ReferenceError) {
      throw new YamlSyntaxError('yaml: document contains excessive aliasing');
    }
    throw error;
  }
}

function parseDocument(text: string): ParsedYaml {
  if (deepestFlow(text) > LIMITS.http.nesting) throw new YamlSyntaxError('yaml: exceeded max depth');
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, {
    version: '1.1',
    customTags: wantedTags,
    uniqueKeys: false,
    lineCounter,
    // Integers beyond 2^53 must not be rounded before their type is known.
    intAsBigInt: true,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const document = documents[0];
  if (document === undefined || !('contents' in document)) return { value: null, duplicates: [] };
  const error = document.errors[0];
  if (error !== undefined) {
    const isTooDeep = error.message.includes('call stack');
    const what = isTooDeep ? 'exceeded max depth' : error.message;
    throw new YamlSyntaxError(`yaml: line ${lineCounter.linePos(error.pos[0]).line}: ${what}`);
  }
  const duplicates: string[] = [];
  visit(document, {
    Node(_key, _node, path) {
      // Each level of the document adds up to two entries (pair and value).
      if (path.length > 2 * LIMITS.http.nesting) throw new YamlSyntaxError('yaml: exceeded max depth');
    },
    Map(_key, map) {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) throw new YamlSyntaxError('yaml: invalid map key: only scalars can be keys');
        const name = String(key.value);
        if (seen.has(name) && duplicates.length < LIMITS.api.strictErrors && isMap(map)) {
          const line = lineCounter.linePos(key.range?.[0] ?? 0).line;
          duplicates.push(`line ${line}: key ${JSON.stringify(name)} already set in map`);
        }
        seen.add(name);
      }
    },
  });
  return { value: plain(document.toJS({ maxAliasCount: LIMITS.api.yamlAliases })), duplicates };
}

/**
 * A copy in which nothing is shared (an alias gives the same object twice, and what follows changes objects in place)
 * and integers are numbers wherever a number holds them.
 */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new YamlSyntaxError(`yaml: ${value} has no form in JSON`);
  }
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  const copy: JsonObject = {};
  for (const key of Object.keys(value)) setOwn(copy, key, plain(value[key]));
  return copy;
}

/** An upper bound of how deep brackets nest, before the recursive parser sees them. Quotes are not understood. */
function deepestFlow(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5b || code === 0x7b) {
      depth++;
      if (depth > deepest) deepest = depth;
    } else if ((code === 0x5d || code === 0x7d) && depth > 0) depth--;
  }
  return deepest;
}
