import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../json-value.ts';
import { ProtobufWriter } from '../protobuf/writer.ts';
import { apiVersionOf } from '../resource.ts';
import { builtInKinds, kindSchema } from '../schema/built-in.ts';
import { ApiError } from '../status.ts';
import { arbitraryOf } from './arbitrary-object.fake.ts';
import { decodeBody, type Kind, PROTOBUF_TYPE } from './decode-body.ts';
import { decodeMessage } from './protobuf.ts';
import { encodeObject } from './protobuf-encoder.fake.ts';

const POD = { group: '', version: 'v1', kind: 'Pod' };

const decode = (bytes: Uint8Array, expected: Kind = POD): JsonObject =>
  decodeBody({ bytes, contentType: PROTOBUF_TYPE, expected }).object as unknown as JsonObject;
const decodeJson = (object: unknown, expected: Kind): JsonObject =>
  decodeBody({ bytes: Buffer.from(JSON.stringify(object)), contentType: '', expected })
    .object as unknown as JsonObject;

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof ApiError) return `${error.code} ${error.message}`;
    throw error;
  }
  throw new Error('nothing was refused');
}

const kinds = builtInKinds();

describe('protobuf bodies', () => {
  it('read a message written by hand, byte for byte', () => {
    // k8s\0, typeMeta {v1, Pod}, raw: metadata {name "a"}, spec {hostNetwork false, terminationGracePeriodSeconds 0}
    const envelope = '6b387300' + '0a09' + '0a027631' + '1203506f64';
    const raw = '120b' + '0a03' + '0a0161' + '1204' + '5800' + '2000';
    const bytes = Buffer.from(envelope + raw, 'hex');
    expect(decode(bytes)).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a' },
      spec: { terminationGracePeriodSeconds: 0 },
    });
  });

  it('read schemas, with numbers, any JSON and either of two things', () => {
    const half = '59000000000000e03f';
    const anything = '4205' + '0a03' + '226122';
    const values = 'f2010a' + '0800' + '1206' + '2a04' + '6e616d65';
    const bytes = Buffer.from(`2a066f626a656374${half}${anything}${values}`, 'hex');
    const schema = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';
    expect(decodeMessage(bytes, schema)).toEqual({
      type: 'object',
      minimum: 0.5,
      default: 'a',
      additionalProperties: { type: 'name' },
    });
    // allows: true, and two schemas of items
    const open = Buffer.from('f2010208' + '01' + 'c20108' + '1202' + '2a00' + '1202' + '2a00', 'hex');
    expect(decodeMessage(open, schema)).toEqual({
      additionalProperties: true,
      items: [{ type: '' }, { type: '' }],
    });
  });

  it('mean the same as JSON, for every kind', () => {
    for (const [group, version, kind, definition] of kinds) {
      const schema = kindSchema({ group, version, kind });
      if (schema === undefined) throw new Error(`no schema of ${kind}`);
      fc.assert(
        fc.property(arbitraryOf(schema), (value) => {
          const object = { ...(value as JsonObject), apiVersion: apiVersionOf({ group, version }), kind };
          const expected = { group, version, kind };
          const bytes = encodeObject(object, definition);
          expect(decode(bytes, expected)).toEqual(decodeJson(object, expected));
        }),
        { numRuns: 8 },
      );
    }
  });

  it('read packed and unpacked numbers, and pass over unknown fields', () => {
    const groups = new ProtobufWriter()
      .bytes(4, Uint8Array.from([1, 2]))
      .integer(4, 3)
      .string(99, 'x')
      .integer(98, 1);
    const spec = new ProtobufWriter().message(14, groups);
    const raw = new ProtobufWriter().message(2, spec);
    const body = new ProtobufWriter().bytes(2, raw.finish()).finish();
    const object = decode(Buffer.concat([Buffer.from('k8s\0'), body]));
    expect(object).toMatchObject({ spec: { securityContext: { supplementalGroups: [1, 2, 3] } } });
  });

  it('are refused with a reason', () => {
    expect(messageOf(() => decode(new Uint8Array()))).toBe(
      '400 the object provided is unrecognized (must be of type Pod): empty data (<empty>)',
    );
    expect(messageOf(() => decode(Buffer.from('{}')))).toBe(
      '400 the object provided is unrecognized (must be of type Pod): provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] ({})',
    );
    expect(messageOf(() => decode(Buffer.from('k8s\0\x0a\x50')))).toContain('unexpected EOF');
    const service = encodeObject({ apiVersion: 'v1', kind: 'Service' }, 'io.k8s.api.core.v1.Service');
    expect(messageOf(() => decode(service))).toContain('Service in version "v1" cannot be handled as a Pod');
    const widget = { group: 'example.com', version: 'v1', kind: 'Widget' };
    expect(messageOf(() => decode(Buffer.from('k8s\0'), widget))).toContain('send JSON');
  });

  it('do not nest without end', () => {
    // Messages of built-in kinds hardly recurse, but JSON inside them can.
    const raw = new ProtobufWriter().bytes(1, Buffer.from('{"f:a":'.repeat(5000)));
    const entry = new ProtobufWriter().message(7, raw);
    const meta = new ProtobufWriter().message(17, entry);
    const pod = new ProtobufWriter().message(1, meta);
    const body = new ProtobufWriter().bytes(2, pod.finish()).finish();
    expect(messageOf(() => decode(Buffer.concat([Buffer.from('k8s\0'), body])))).toContain(
      'exceeded max depth',
    );
  });
});

describe('fuzz', () => {
  const seeds = kinds.filter(([, , kind]) =>
    ['Pod', 'Deployment', 'Service', 'Event', 'DeleteOptions'].includes(kind),
  );

  it('damaged protobuf ends in an object or a 400', () => {
    const damaged = fc.constantFrom(...seeds).chain(([group, version, kind, definition]) => {
      const schema = kindSchema({ group, version, kind })!;
      return fc.record({
        kind: fc.constant({ group, version, kind }),
        bytes: arbitraryOf(schema).map((value) =>
          encodeObject(
            { ...(value as JsonObject), apiVersion: apiVersionOf({ group, version }), kind },
            definition,
          ),
        ),
        flips: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 }),
        keep: fc.nat(100),
      });
    });
    fc.assert(
      fc.property(damaged, ({ kind, bytes, flips, keep }) => {
        const copy = Uint8Array.from(bytes.subarray(0, Math.ceil((bytes.length * keep) / 90)));
        for (const [at, value] of flips) if (copy.length > 4) copy[4 + (at % (copy.length - 4))] = value;
        try {
          expect(decode(copy, kind)).toBeTypeOf('object');
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          expect(error.code).toBe(400);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('damaged JSON and YAML end in an object or a 400', () => {
    const text =
      '{"metadata":{"name":"a","labels":{"b":"c"}},"spec":{"containers":[{"name":"d","ports":[{"containerPort":1}]}]}}';
    const yaml = 'metadata:\n  name: a\n  labels: &l {b: c}\nspec:\n  containers:\n  - name: d\n    x: *l\n';
    const change = fc.tuple(fc.nat(), fc.constantFrom(...'{}[]:,"\\0-e.nt &*!|>#\n\'%@`\u0000é'), fc.nat(4));
    fc.assert(
      fc.property(fc.boolean(), fc.array(change, { minLength: 1, maxLength: 5 }), (isJson, changes) => {
        let body = isJson ? text : yaml;
        for (const [at, character, gone] of changes) {
          const place = at % (body.length + 1);
          body = body.slice(0, place) + character + body.slice(place + gone);
        }
        const contentType = isJson ? 'application/json' : 'application/yaml';
        try {
          expect(decodeBody({ bytes: Buffer.from(body), contentType, expected: POD }).object.kind).toBe(
            'Pod',
          );
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          expect(error.code).toBe(400);
        }
      }),
      { numRuns: 1500 },
    );
  });
});
