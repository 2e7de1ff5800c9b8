/**
 * Writes `src/api/openapi/assets/descriptions.br`: what `kubectl explain` says about every type and field, taken from
 * the documentation comments of @kubernetes/client-node and compressed. Run: `npm run generate`.
 *
 * One line of JSON for each definition, sorted by name: [definition, description, { field: description }].
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants } from 'node:zlib';

interface Facts {
  definitions: Record<string, { fields?: Record<string, unknown> }>;
}
const facts = JSON.parse(
  readFileSync(new URL('./facts/kubernetes-facts.json', import.meta.url), 'utf8'),
) as Facts;
const models = new URL('../node_modules/@kubernetes/client-node/dist/gen/models/', import.meta.url);

/** `V1PodSpec`, or with the group in front where two groups have the name: `CoreV1Event`. */
function modelNames(definition: string): string[] {
  const [kind = '', version = '', group = ''] = definition.split('.').reverse();
  const upper = (text: string): string => (text[0] ?? '').toUpperCase() + text.slice(1);
  return [`${upper(group)}${upper(version)}${kind}`, `${upper(version)}${kind}`];
}

function readModel(definition: string): string | undefined {
  for (const name of modelNames(definition)) {
    try {
      return readFileSync(new URL(`${name}.d.ts`, models), 'utf8');
    } catch {
      // The next name may exist.
    }
  }
  return undefined;
}

const clean = (comment: string): string =>
  comment
    .replace(/^\s*\* ?/gm, '')
    .replace(/\\(['"])/g, '$1')
    .replaceAll('*_/', '*/')
    .trim();

const plain = (name: string): string => name.replace(/[^A-Za-z0-9]/g, '').toLowerCase();

function describe(definition: string): [string, string, Record<string, string>] | undefined {
  const text = readModel(definition);
  if (text === undefined) return undefined;
  const about = /\/\*\*\n((?:\*[^\n]*\n)+)\*\/\nexport declare class/.exec(text)?.[1] ?? '';
  const fields: Record<string, string> = {};
  const names = Object.keys(facts.definitions[definition]?.fields ?? {});
  for (const [, comment = '', property = ''] of text.matchAll(
    /\/\*\*\n((?: {4}\*[^\n]*\n)+?) {4}\*\/\n {4}'([^']+)'\??:/g,
  )) {
    const name = names.find((one) => one === property) ?? names.find((one) => plain(one) === plain(property));
    if (name !== undefined) fields[name] = clean(comment);
  }
  return [definition, clean(about), fields];
}

const rows = Object.keys(facts.definitions)
  .sort()
  .flatMap((definition) => {
    const row = describe(definition);
    return row === undefined ? [] : [JSON.stringify(row)];
  });
const text = Buffer.from(rows.join('\n'));
const compressed = brotliCompressSync(text, {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
  },
});
const folder = new URL('../src/api/openapi/assets/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('descriptions.br', folder), compressed);
process.stdout.write(
  `${rows.length} of ${Object.keys(facts.definitions).length} definitions described, ${text.length} bytes in ${compressed.length}\n`,
);
