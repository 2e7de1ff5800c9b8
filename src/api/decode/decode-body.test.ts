import { describe, expect, it } from 'vitest';
import { ApiError } from '../status.ts';
import { type DecodeOptions, decodeBody } from './decode-body.ts';

const POD = { group: '', version: 'v1', kind: 'Pod' };
const DEPLOYMENT = { group: 'apps', version: 'v1', kind: 'Deployment' };

function decode(body: unknown, options: Partial<DecodeOptions> = {}): ReturnType<typeof decodeBody> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return decodeBody({
    bytes: Buffer.from(text),
    contentType: 'application/json',
    expected: POD,
    ...options,
  });
}

function failure(action: () => unknown): { code: number; message: string } {
  try {
    action();
  } catch (error) {
    if (error instanceof ApiError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('nothing was refused');
}

const messageOf = (body: unknown, options: Partial<DecodeOptions> = {}): string =>
  failure(() => decode(body, options)).message;

describe('decodeBody', () => {
  it('fills in the kind, the version and metadata', () => {
    expect(decode({}).object).toEqual({ apiVersion: 'v1', kind: 'Pod', metadata: {} });
  });

  it('takes nulls for absence and zeros for nothing, but keeps zeros that mean something', () => {
    const { object } = decode(
      {
        metadata: { name: 'a', creationTimestamp: null, labels: {} },
        spec: {
          replicas: 0,
          paused: false,
          selector: {},
          minReadySeconds: 0,
          template: { spec: { containers: [] } },
        },
      },
      { expected: DEPLOYMENT },
    );
    expect(object).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'a' },
      spec: { replicas: 0, selector: {}, template: { spec: { containers: [] } } },
    });
  });

  it('writes quantities and times in their stored form', () => {
    const { object } = decode({
      metadata: { name: 'a', creationTimestamp: '2026-01-01T01:00:00.5+01:00' },
      spec: { containers: [{ name: 'c', resources: { limits: { cpu: 0.5, memory: '1024Mi' } } }] },
    });
    expect(object).toMatchObject({
      metadata: { creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { containers: [{ resources: { limits: { cpu: '500m', memory: '1Gi' } } }] },
    });
  });

  describe('field validation', () => {
    const body =
      '{"spec":{"foo":1,"containers":[{"name":"c","bar":{}},{"name":"d","name":"e"}]},"metadata":{"name":"a"}}';

    it('refuses when strict', () => {
      expect(failure(() => decode(body, { fieldValidation: 'Strict' }))).toEqual({
        code: 400,
        message:
          'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.foo", unknown field "spec.containers[0].bar", duplicate field "spec.containers[1].name"',
      });
    });

    it('warns by default, and drops what is unknown', () => {
      const { object, warnings } = decode(body);
      expect(warnings).toEqual([
        'unknown field "spec.foo"',
        'unknown field "spec.containers[0].bar"',
        'duplicate field "spec.containers[1].name"',
      ]);
      expect(object).toMatchObject({ spec: { containers: [{ name: 'c' }, { name: 'e' }] } });
      expect(JSON.stringify(object)).not.toMatch(/foo|bar/);
    });

    it('tells what is wrong in the order of the text, and nothing of what is inside of unknown fields', () => {
      const text =
        '{"spec":{"containers":[],"containers":[],"foo":{"a":1,"a":2},"foo":1,"nodeName":"x","nodeName":"y"}}';
      expect(decode(text).warnings).toEqual([
        'duplicate field "spec.containers"',
        'unknown field "spec.foo"',
        'duplicate field "spec.nodeName"',
      ]);
    });

    it('keeps silent when told to ignore', () => {
      expect(decode(body, { fieldValidation: 'Ignore' }).warnings).toEqual([]);
    });

    it('names at most a hundred mistakes', () => {
      const fields = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`x${index}`, 1]));
      expect(decode(fields).warnings).toHaveLength(100);
    });
  });

  describe('wrong types', () => {
    it.each([
      [{ spec: 'x' }, 'json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec'],
      [
        { spec: { containers: 'x' } },
        'json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container',
      ],
      [
        { spec: { containers: [{ ports: [{ containerPort: '80' }] }] } },
        'json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32',
      ],
      [
        { metadata: { labels: { a: 1 } } },
        'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
      ],
      [
        { spec: { terminationGracePeriodSeconds: 1.5 } },
        'json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64',
      ],
      [
        { spec: { priority: 3_000_000_000 } },
        'json: cannot unmarshal number 3000000000 into Go struct field PodSpec.spec.priority of type int32',
      ],
      [
        { spec: { hostNetwork: 'true' } },
        'json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool',
      ],
      [
        { spec: { containers: [{ resources: { limits: { cpu: '1x' } } }] } },
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
      ],
      [
        { metadata: { creationTimestamp: 'x' } },
        'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"',
      ],
      [
        { spec: { containers: [{ livenessProbe: { httpGet: { port: true } } }] } },
        'json: cannot unmarshal bool into Go value of type int32',
      ],
      [
        '{"spec":{"activeDeadlineSeconds":99999999999999999999}}',
        'json: cannot unmarshal number 99999999999999999999 into Go struct field PodSpec.spec.activeDeadlineSeconds of type int64',
      ],
      [
        '{"spec":{"activeDeadlineSeconds":9007199254740993}}',
        'number 9007199254740993 cannot be kept exactly; integers beyond 2^53 are not supported',
      ],
    ])('%j', (body, why) => {
      expect(failure(() => decode(body))).toEqual({
        code: 400,
        message: `Pod in version "v1" cannot be handled as a Pod: ${why}`,
      });
    });

    it('takes an exact quantity from a long number', () => {
      const body = '{"spec":{"overhead":{"memory":9223372036854775807}}}';
      expect(decode(body).object).toMatchObject({ spec: { overhead: { memory: '9223372036854775807' } } });
    });

    it('checks base64', () => {
      const expected = { group: '', version: 'v1', kind: 'Secret' };
      expect(messageOf({ data: { a: 'aGk' } }, { expected })).toContain(
        'illegal base64 data at input byte 3',
      );
      expect(decode({ data: { a: 'aG\nk=' } }, { expected }).object).toMatchObject({ data: { a: 'aGk=' } });
    });
  });

  it('says what it could not read', () => {
    expect(messageOf('')).toBe(
      "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
    );
    expect(messageOf('{"metadata":{"name":"a-long-name"},')).toMatch(
      /^the object provided is unrecognized \(must be of type Pod\): .* \(\{"metadata":\{"name":"a-long-na \.\.\.\)$/,
    );
    expect(messageOf('[]')).toContain('cannot unmarshal array into Go value of type struct');
    expect(messageOf({ apiVersion: 1 })).toContain(
      'cannot unmarshal number into Go struct field .apiVersion',
    );
    expect(messageOf({ apiVersion: 'a/b/c', kind: 'Pod' })).toContain(
      'unexpected GroupVersion string: a/b/c',
    );
  });

  it('refuses other kinds and versions', () => {
    expect(messageOf({ apiVersion: 'v1', kind: 'Service' })).toBe(
      'Service in version "v1" cannot be handled as a Pod: converting (v1.Service) to (v1.Pod): unknown conversion',
    );
    expect(messageOf({ apiVersion: 'v1', kind: 'Foo' })).toMatch(
      /^Foo in version "v1" cannot be handled as a Pod: no kind "Foo" is registered for version "v1"/,
    );
    const expected = { group: 'autoscaling', version: 'v2', kind: 'HorizontalPodAutoscaler' };
    expect(messageOf({ apiVersion: 'autoscaling/v1', kind: 'HorizontalPodAutoscaler' }, { expected })).toBe(
      'the API version in the data (autoscaling/v1) does not match the expected API version (autoscaling/v2)',
    );
  });

  it('takes DeleteOptions of any group', () => {
    const expected = { group: '', version: 'v1', kind: 'DeleteOptions' };
    const body = {
      apiVersion: 'apps/v1',
      kind: 'DeleteOptions',
      gracePeriodSeconds: 0,
      propagationPolicy: 'Orphan',
    };
    expect(decode(body, { expected }).object).toEqual(body);
  });

  it('reads YAML, and JSON sent as YAML', () => {
    const yaml = { contentType: 'application/yaml; charset=utf-8', fieldValidation: 'Strict' } as const;
    expect(decode('metadata:\n  name: a\n', yaml).object.metadata.name).toBe('a');
    expect(decode('{"metadata":{"name":"a"}}', yaml).object.metadata.name).toBe('a');
    expect(decode('{metadata: {name: a}}', yaml).object.metadata.name).toBe('a');
    expect(messageOf('metadata:\n  name: a\n  name: b\n', yaml)).toBe(
      'Pod in version "v1" cannot be handled as a Pod: strict decoding error: yaml: unmarshal errors:\n  line 3: key "name" already set in map',
    );
  });

  it('refuses content types it does not speak', () => {
    expect(failure(() => decode('{}', { contentType: 'text/plain' }))).toEqual({
      code: 415,
      message:
        'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    });
  });

  it('keeps hostile keys harmless', () => {
    const body =
      '{"metadata":{"annotations":{"__proto__":"x","constructor":"y"}},"__proto__":{"spec":{}},"x":1}';
    const { object, warnings } = decode(body);
    expect(warnings).toEqual(['unknown field "__proto__"', 'unknown field "x"']);
    expect(JSON.stringify(object.metadata)).toBe('{"annotations":{"__proto__":"x","constructor":"y"}}');
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
  });
});
