import { MINIMAL } from '../../src/server/resources/minimal-objects.fake.ts';
import type { Random } from './random.ts';

/** Texts that stand where JSON has a value; some are no JSON at all. */
const VALUES = [
  'null',
  'true',
  '-1',
  '0',
  '1e400',
  '-1e-400',
  '9223372036854775808',
  '-9223372036854775809',
  '0.1',
  '00',
  'NaN',
  'Infinity',
  '""',
  '"\\ud800"',
  '"\\u0000"',
  '"../../etc/passwd"',
  '"${jndi:ldap://x}"',
  '{}',
  '[]',
  '[[[[]]]]',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"a":1,"a":2}',
  "'x'",
  'undefined',
];
const KEYS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '',
  'metadata',
  'spec',
  'status',
];
const CONTENT_TYPES = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'application/merge-patch+json',
  'application/json-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
  'application/apply-patch+cbor',
  'application/cbor',
  'text/plain',
  'application/json; charset=utf-16',
  'multipart/form-data; boundary=x',
  '',
  ';;;',
  'application/json;a=b;c="',
];

export interface HostileBody {
  readonly contentType: string;
  readonly bytes: Buffer;
}

/** A body for the resource that is more or less wrong. */
export function hostileBody(random: Random, resource: string, method: string): HostileBody {
  const usual = CONTENT_TYPES.filter((type) => type.includes('patch+') === (method === 'PATCH')).slice(0, 4);
  const contentType = random.pick(random.chance(0.85) ? usual : CONTENT_TYPES);
  if (contentType.endsWith('protobuf') && random.chance(0.8)) return { contentType, bytes: protobuf(random) };
  const make = random.pick([object, object, object, patch, nested, yaml, noise]);
  return { contentType, bytes: damaged(random, make(random, resource)) };
}

function object(random: Random, resource: string): Buffer {
  const value = { metadata: { name: `f${random.below(20)}` }, ...MINIMAL[resource] };
  return Buffer.from(withHostileValues(random, JSON.stringify(value)));
}

/** Some values are replaced by others, some keys by names that mean something to JavaScript. */
function withHostileValues(random: Random, text: string): string {
  let changed = text;
  for (let times = random.below(3); times >= 0; times--) {
    const spots = [...changed.matchAll(/:("[^"]*"|-?\d+|true|false|null|\{\}|\[\])/g)];
    const spot = spots.length > 0 ? random.pick(spots) : undefined;
    if (spot && random.chance(0.7))
      changed = `${changed.slice(0, spot.index + 1)}${random.pick(VALUES)}${changed.slice(spot.index + spot[0].length)}`;
    else changed = changed.replace('{', `{${JSON.stringify(random.pick(KEYS))}:${random.pick(VALUES)},`);
  }
  return changed;
}

function patch(random: Random): Buffer {
  const operations = Array.from({ length: random.below(5) + 1 }, () => ({
    op: random.pick(['add', 'remove', 'replace', 'move', 'copy', 'test', 'explode', '']),
    path: random.pick([
      '/metadata/labels',
      '/__proto__/x',
      '/constructor/prototype/x',
      '/spec/-',
      '//',
      '',
      'a',
      '/~2',
    ]),
    from: random.pick(['/metadata', '/__proto__', '']),
    value: random.pick([1, null, {}, 'x', []]),
  }));
  if (random.chance(0.5)) return Buffer.from(JSON.stringify(operations));
  const directive = random.pick([
    '$patch',
    '$retainKeys',
    '$deleteFromPrimitiveList/finalizers',
    '$setElementOrder/x',
  ]);
  return Buffer.from(
    withHostileValues(random, JSON.stringify({ metadata: { [directive]: 'x' }, spec: { x: 1 } })),
  );
}

function nested(random: Random): Buffer {
  const depth = random.pick([100, 300, 5000, 200_000]);
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
  ] as const);
  return Buffer.from(`${open.repeat(depth)}1${random.chance(0.5) ? close.repeat(depth) : ''}`);
}

function yaml(random: Random): Buffer {
  const bomb = `a: &a [x,x]\n${Array.from({ length: 30 }, (_, at) => `b${at}: &b${at} [*${at === 0 ? 'a' : `b${at - 1}`},*${at === 0 ? 'a' : `b${at - 1}`}]`).join('\n')}`;
  return Buffer.from(
    random.pick([
      bomb,
      '? {a: b}\n: c',
      '!!js/function "x"',
      '%YAML 9.9\n---\n',
      'a: *nothing',
      '- - - - -',
      '"\\x"',
      'metadata:\n\tname: tab',
      '---\na: 1\n---\nb: 2\n',
      `${'- '.repeat(20_000)}x`,
    ]),
  );
}

const noise = (random: Random): Buffer => random.bytes(random.below(2000));

/** Cut short, lengthened, or with some bytes changed; often left alone. */
function damaged(random: Random, bytes: Buffer): Buffer {
  switch (random.below(8)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length + 1));
    case 1:
      return Buffer.concat([bytes, random.bytes(random.below(50))]);
    case 2: {
      const copy = Buffer.from(bytes);
      for (let times = random.below(5); times >= 0 && copy.length > 0; times--)
        copy[random.below(copy.length)] = random.below(256);
      return copy;
    }
    case 3:
      return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]);
    default:
      return bytes;
  }
}

/** `k8s\0` and a `runtime.Unknown` whose lengths and types may lie. */
function protobuf(random: Random): Buffer {
  const field = (number: number, bytes: Buffer): Buffer =>
    Buffer.concat([
      Buffer.from([(number << 3) | 2]),
      varint(random.chance(0.2) ? random.below(2 ** 31) : bytes.length),
      bytes,
    ]);
  const type = Buffer.concat([
    field(1, Buffer.from(random.pick(['v1', 'apps/v1', '']))),
    field(2, Buffer.from(random.pick(['ConfigMap', 'Pod', 'Deployment', '__proto__']))),
  ]);
  const meta = field(1, field(1, Buffer.from('p')));
  const deep = Array.from({ length: 3000 }).reduce<Buffer>(
    (inner) => field(1, inner).subarray(0, 60_000),
    Buffer.from([8]),
  );
  const raw = random.pick([meta, random.bytes(random.below(500)), deep, Buffer.alloc(0)]);
  const envelope = Buffer.concat([field(1, type), field(2, raw)]);
  return damaged(random, Buffer.concat([Buffer.from(random.pick(['k8s\0', 'k8s\0', 'k8s', ''])), envelope]));
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  do {
    bytes.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left = Math.floor(left / 128);
  } while (left > 0);
  return Buffer.from(bytes);
}
