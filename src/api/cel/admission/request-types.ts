import { type CelSchema, schemaType, type TypedSchema } from '../schema-type.ts';

const text: CelSchema = { type: 'string' };
const texts: CelSchema = { type: 'array', items: text };
const textMap: CelSchema = { type: 'object', additionalProperties: text };
const time: CelSchema = { type: 'string', format: 'date-time' };
const integer: CelSchema = { type: 'integer' };

const object = (typeName: string, properties: Record<string, CelSchema>): CelSchema => ({
  type: 'object',
  typeName,
  properties,
});

const groupVersionKind = object('kubernetes.GroupVersionKind', { group: text, version: text, kind: text });
const groupVersionResource = object('kubernetes.GroupVersionResource', {
  group: text,
  version: text,
  resource: text,
});

const REQUEST = object('kubernetes.AdmissionRequest', {
  kind: groupVersionKind,
  resource: groupVersionResource,
  subResource: text,
  requestKind: groupVersionKind,
  requestResource: groupVersionResource,
  requestSubResource: text,
  name: text,
  namespace: text,
  operation: text,
  userInfo: object('kubernetes.UserInfo', {
    username: text,
    uid: text,
    groups: texts,
    extra: { type: 'object', additionalProperties: texts },
  }),
  dryRun: { type: 'boolean' },
  options: { type: 'any' },
});

const NAMESPACE = object('kubernetes.Namespace', {
  metadata: object('kubernetes.NamespaceMetadata', {
    name: text,
    generateName: text,
    namespace: text,
    labels: textMap,
    annotations: textMap,
    UID: text,
    creationTimestamp: time,
    deletionGracePeriodSeconds: integer,
    deletionTimestamp: time,
    generation: integer,
    resourceVersion: text,
    finalizers: texts,
  }),
  spec: object('kubernetes.NamespaceSpec', { finalizers: texts }),
  status: object('kubernetes.NamespaceStatus', {
    phase: text,
    conditions: {
      type: 'array',
      items: object('kubernetes.NamespaceCondition', {
        status: text,
        type: text,
        lastTransitionTime: time,
        message: text,
        reason: text,
      }),
    },
  }),
});

/** The types of the variables `request` and `namespaceObject` (k8s.io/apiserver/pkg/admission/plugin/cel). */
export const requestType: TypedSchema = schemaType(REQUEST, 'request')!;
export const namespaceType: TypedSchema = schemaType(NAMESPACE, 'namespaceObject')!;
