import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../json-value.ts';
import { ProtobufWriter } from '../protobuf/writer.ts';
import { ApiError } from '../status.ts';
import { decodeBody, JSON_TYPE, type Kind, PROTOBUF_TYPE } from './decode-body.ts';
import {
  type Message,
  type MessageField,
  messageOfKind,
  OTHER_MESSAGES_ASSET,
  SERVED_MESSAGES,
  withOtherMessages,
} from './message-table.ts';
import { decodeAs, decodeMessage } from './protobuf.ts';

const asset = readFileSync(new URL(`../../${OTHER_MESSAGES_ASSET}`, import.meta.url));
const all = withOtherMessages(asset);

const writer = (): ProtobufWriter => new ProtobufWriter();
const text = (value: string): Buffer => Buffer.from(value);
const metadata = writer().string(1, 'nameValue');

/** What the bytes of a kind mean. Numbers are those of upstream's generated.proto files. */
function decode(group: string, version: string, kind: string, raw: ProtobufWriter): JsonObject {
  const message = messageOfKind(all, { group, version, kind });
  if (message === undefined) throw new Error(`no message ${kind}`);
  return decodeAs(raw.finish(), message);
}

function envelope(apiVersion: string, kind: string, raw: ProtobufWriter): Buffer {
  const typeMeta = writer().string(1, apiVersion).string(2, kind);
  const unknown = writer().message(1, typeMeta).bytes(2, raw.finish());
  return Buffer.concat([text('k8s\0'), unknown.finish()]);
}

describe('samples of kinds beyond those that are stored', () => {
  it('an APIService', () => {
    const service = writer().string(1, 'namespaceValue').string(2, 'nameValue').integer(3, 4);
    const spec = writer()
      .message(1, service)
      .string(2, 'groupValue')
      .string(3, 'versionValue')
      .bool(4, true)
      .bytes(5, Uint8Array.from([5]))
      .integer(7, 7)
      .integer(8, 8);
    const condition = writer().string(1, 'Available').string(2, 'True').message(3, writer().integer(1, 3));
    const raw = writer().message(1, metadata).message(2, spec).message(3, writer().message(1, condition));
    expect(decode('apiregistration.k8s.io', 'v1', 'APIService', raw)).toEqual({
      metadata: { name: 'nameValue' },
      spec: {
        service: { namespace: 'namespaceValue', name: 'nameValue', port: 4 },
        group: 'groupValue',
        version: 'versionValue',
        insecureSkipTLSVerify: true,
        caBundle: 'BQ==',
        groupPriorityMinimum: 7,
        versionPriority: 8,
      },
      status: {
        conditions: [{ type: 'Available', status: 'True', lastTransitionTime: '1970-01-01T00:00:03Z' }],
      },
    });
  });

  it.each([
    ['networking.k8s.io', 'v1beta1'],
    ['extensions', 'v1beta1'],
  ])('an Ingress of %s/%s, whose rules stand inside others', (group, version) => {
    const backend = writer()
      .string(1, 'serviceNameValue')
      .message(2, writer().integer(1, 1).string(3, 'portValue'));
    const http = writer().message(1, writer().string(1, '/path').message(2, backend));
    const rule = writer().string(1, 'hostValue').message(2, writer().message(1, http));
    const raw = writer().message(2, writer().message(3, rule));
    expect(decode(group, version, 'Ingress', raw)).toEqual({
      spec: {
        rules: [
          {
            host: 'hostValue',
            http: {
              paths: [
                { path: '/path', backend: { serviceName: 'serviceNameValue', servicePort: 'portValue' } },
              ],
            },
          },
        ],
      },
    });
  });

  it('fields that are written otherwise in protobuf', () => {
    const webhooks = writer().message(1, metadata).message(2, writer().string(1, 'nameValue'));
    expect(
      decode('admissionregistration.k8s.io', 'v1beta1', 'MutatingWebhookConfiguration', webhooks),
    ).toEqual({
      metadata: { name: 'nameValue' },
      webhooks: [{ name: 'nameValue' }],
    });
    const policy = writer().message(2, writer().message(3, writer().string(1, 'true')));
    for (const version of ['v1alpha1', 'v1beta1']) {
      const group = 'admissionregistration.k8s.io';
      expect(decode(group, version, 'ValidatingAdmissionPolicy', policy)).toEqual({
        spec: { validations: [{ expression: 'true' }] },
      });
    }
    const parameters = writer().string(1, 'example.com').string(2, 'kindValue').string(3, 'nameValue');
    const ingressClass = writer().message(2, writer().string(1, 'c').message(2, parameters));
    expect(decode('networking.k8s.io', 'v1beta1', 'IngressClass', ingressClass)).toEqual({
      spec: {
        controller: 'c',
        parameters: { apiGroup: 'example.com', kind: 'kindValue', name: 'nameValue' },
      },
    });
  });

  it('the extra facts about users', () => {
    const entry = writer().string(1, 'extraKey').message(2, writer().string(1, 'extraValue'));
    const review = writer().message(2, writer().message(5, entry));
    const extra = { extraKey: ['extraValue'] };
    expect(decode('authorization.k8s.io', 'v1beta1', 'SubjectAccessReview', review)).toEqual({
      spec: { extra },
    });
    const user = writer().string(1, 'usernameValue').message(4, entry);
    const answer = writer().message(3, writer().message(2, user));
    expect(decode('authentication.k8s.io', 'v1beta1', 'TokenReview', answer)).toEqual({
      status: { user: { username: 'usernameValue', extra } },
    });
    const request = writer().message(2, writer().message(6, entry));
    expect(decode('certificates.k8s.io', 'v1beta1', 'CertificateSigningRequest', request)).toEqual({
      spec: { extra },
    });
  });

  it('a device that stands in a field of its own before v1beta2', () => {
    const basic = writer().message(1, writer().bytes(1, text('key')).message(2, writer().string(4, 'x')));
    const raw = writer().message(2, writer().message(6, writer().string(1, 'gpu').message(2, basic)));
    expect(decode('resource.k8s.io', 'v1beta1', 'ResourceSlice', raw)).toEqual({
      spec: { devices: [{ name: 'gpu', basic: { attributes: { key: { string: 'x' } } } }] },
    });
  });

  it('bodies that are never requests', () => {
    const object = writer().bytes(1, text('{"apiVersion":"example.com/v1","kind":"CustomType"}'));
    const request = writer().string(1, 'uidValue').message(9, object).bool(11, true);
    for (const version of ['v1', 'v1beta1']) {
      expect(decode('admission.k8s.io', version, 'AdmissionReview', writer().message(1, request))).toEqual({
        request: {
          uid: 'uidValue',
          object: { apiVersion: 'example.com/v1', kind: 'CustomType' },
          dryRun: true,
        },
      });
    }
    const image = writer().message(2, writer().message(1, writer().string(1, 'busybox')));
    expect(decode('imagepolicy.k8s.io', 'v1alpha1', 'ImageReview', image)).toEqual({
      spec: { containers: [{ image: 'busybox' }] },
    });
    const log = writer().string(1, 'containerValue').bool(2, true).integer(8, 8);
    expect(decode('', 'v1', 'PodLogOptions', log)).toEqual({
      container: 'containerValue',
      follow: true,
      limitBytes: 8,
    });
    expect(decode('', 'v1', 'CreateOptions', writer().string(1, 'All').string(3, 'x'))).toEqual({
      dryRun: ['All'],
      fieldManager: 'x',
    });
    const version = writer().string(1, 'v1').string(3, 'Current');
    expect(decode('apidiscovery.k8s.io', 'v2', 'APIGroupDiscovery', writer().message(2, version))).toEqual({
      versions: [{ version: 'v1', freshness: 'Current' }],
    });
  });

  it('of every old version, each with all its fields', () => {
    const kinds = [
      'admission.v1beta1.AdmissionReview',
      'apiserverinternal.v1alpha1.StorageVersion',
      'apps.v1beta1.DeploymentRollback',
      'apps.v1beta2.StatefulSet',
      'batch.v1beta1.CronJob',
      'certificates.v1alpha1.ClusterTrustBundle',
      'coordination.v1alpha2.LeaseCandidate',
      'coordination.v1beta1.Lease',
      'discovery.v1beta1.EndpointSlice',
      'events.v1beta1.Event',
      'extensions.v1beta1.DaemonSet',
      'flowcontrol.v1beta1.FlowSchema',
      'flowcontrol.v1beta2.PriorityLevelConfiguration',
      'flowcontrol.v1beta3.PriorityLevelConfiguration',
      'networking.v1beta1.ServiceCIDR',
      'node.v1alpha1.RuntimeClass',
      'policy.v1beta1.PodDisruptionBudget',
      'rbac.v1alpha1.ClusterRole',
      'rbac.v1beta1.RoleBinding',
      'resource.v1alpha3.ResourcePoolStatusRequest',
      'resource.v1beta2.ResourceClaim',
      'scheduling.v1alpha2.Workload',
      'scheduling.v1beta1.PriorityClass',
      'storage.v1alpha1.VolumeAttachment',
      'storage.v1beta1.CSINode',
    ];
    for (const kind of kinds) {
      const message = all.named(`io.k8s.api.${kind}`);
      if (message === undefined) throw new Error(`no message ${kind}`);
      const { raw, json } = sample(message, 0);
      expect(decodeAs(raw.finish(), message), kind).toEqual(json);
      expect(SERVED_MESSAGES.named(message.name), kind).toBeUndefined();
    }
  });
});

/** A message with every field set, and what it is in JSON. */
function sample(message: Message, depth: number): { raw: ProtobufWriter; json: JsonObject } {
  const raw = writer();
  const json: JsonObject = {};
  for (const [number, field] of message.fields) {
    const value = depth > 4 ? undefined : write(raw, number, field, depth);
    if (value === undefined) continue;
    if (field.name === '') Object.assign(json, value);
    else json[field.name] = field.shape === 'list' ? [value] : value;
  }
  return { raw, json };
}

function write(raw: ProtobufWriter, number: number, field: MessageField, depth: number): unknown {
  if (field.shape === 'map') {
    const entry = writer().string(1, 'key');
    const value = writeValue(entry, 2, field, depth);
    raw.message(number, entry);
    return { key: value };
  }
  return writeValue(raw, number, field, depth);
}

function writeValue(raw: ProtobufWriter, number: number, field: MessageField, depth: number): unknown {
  const { type } = field;
  if (type === 's') raw.string(number, `${field.name}Value`);
  else if (type === 'b') raw.bool(number, true);
  else if (type === 'y') raw.bytes(number, Uint8Array.from([number]));
  else if (type === 'i' || type === 'l') raw.integer(number, number);
  if (type === 's') return `${field.name}Value`;
  if (type === 'b') return true;
  if (type === 'y') return Buffer.from([number]).toString('base64');
  if (type !== 'message') return number;
  const { name } = field.message;
  const [short = ''] = name.split('.').slice(-1);
  const special = SPECIAL[short];
  const inner = special?.() ?? sample(field.message, depth + 1);
  raw.message(number, inner.raw);
  return inner.json;
}

const SPECIAL: Readonly<Record<string, () => { raw: ProtobufWriter; json: unknown }>> = {
  Quantity: () => ({ raw: writer().string(1, '5'), json: '5' }),
  IntOrString: () => ({ raw: writer().integer(1, 1).string(3, '5%'), json: '5%' }),
  Time: () => ({ raw: writer().integer(1, 1), json: '1970-01-01T00:00:01Z' }),
  MicroTime: () => ({ raw: writer().integer(1, 1).integer(2, 5000), json: '1970-01-01T00:00:01.000005Z' }),
  FieldsV1: () => ({ raw: writer().string(1, '{"f:a":{}}'), json: { 'f:a': {} } }),
  RawExtension: () => ({ raw: writer().string(1, '{"a":1}'), json: { a: 1 } }),
  ExtraValue: () => ({ raw: writer().string(1, 'x'), json: ['x'] }),
};

describe('a body of a version that is not served', () => {
  const eviction: Kind = { group: 'policy', version: 'v1', kind: 'Eviction' };
  const deployment: Kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
  let reads = 0;
  const otherMessages = (): Uint8Array => {
    reads++;
    return asset;
  };
  const refused = (expected: Kind, bytes: Uint8Array, contentType: string): string => {
    try {
      decodeBody({ bytes, contentType, expected, otherMessages });
    } catch (error) {
      if (error instanceof ApiError) return error.message;
      throw error;
    }
    throw new Error('nothing was refused');
  };

  it('is taken where it means the same', () => {
    const raw = writer().message(1, metadata).message(2, writer().integer(1, 30));
    const { object } = decodeBody({
      bytes: envelope('policy/v1beta1', 'Eviction', raw),
      contentType: PROTOBUF_TYPE,
      expected: eviction,
      alsoAccepted: [{ ...eviction, version: 'v1beta1' }],
      shape: (value) => ({ object: value as JsonObject, unknownFields: [] }),
      otherMessages,
    });
    expect(object).toMatchObject({
      metadata: { name: 'nameValue' },
      deleteOptions: { gracePeriodSeconds: 30 },
    });
  });

  it('is told apart from one that never was', () => {
    for (const [contentType, bytes] of [
      [PROTOBUF_TYPE, envelope('apps/v1beta1', 'Deployment', writer().message(1, metadata))],
      [JSON_TYPE, text('{"apiVersion":"apps/v1beta1","kind":"Deployment"}')],
    ] as const) {
      expect(refused(deployment, bytes, contentType)).toBe(
        'the API version in the data (apps/v1beta1) does not match the expected API version (apps/v1)',
      );
    }
    for (const [contentType, bytes] of [
      [PROTOBUF_TYPE, envelope('apps/v9', 'Deployment', writer())],
      [JSON_TYPE, text('{"apiVersion":"apps/v9","kind":"Deployment"}')],
    ] as const) {
      expect(refused(deployment, bytes, contentType)).toBe(
        'Deployment in version "v9" cannot be handled as a Deployment: no kind "Deployment" is registered for version "apps/v9" in scheme "kedge"',
      );
    }
  });

  it('costs others nothing', () => {
    reads = 0;
    const raw = writer().message(1, metadata);
    const bytes = envelope('apps/v1', 'Deployment', raw);
    decodeBody({ bytes, contentType: PROTOBUF_TYPE, expected: deployment, otherMessages });
    expect(reads).toBe(0);
    expect(decodeMessage(new Uint8Array(), 'io.k8s.api.apps.v1beta1.Deployment')).toBeUndefined();
  });
});
