import { IMMUTABLE, invalidValue, required } from '../../../api/field-errors.ts';
import { copyJson, equalJson } from '../../../api/json-value.ts';
import { dns1123SubdomainProblems, labelKeyProblems } from '../../../api/names.ts';
import { apiVersionOf } from '../../../api/resource.ts';
import { podCertificateRequests, podCertificateRequestsV1beta1 } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  CertificatesPodCertificateRequest as PodCertificateRequest,
  CertificatesPodCertificateRequestSpec as Spec,
} from '../../../api/types.gen.ts';
import { LIMITS } from '../../../lib/limits.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { problemsOf } from '../field-checks.ts';
import { knownConditions, validateCertificateStatus } from './pod-certificate-status.ts';
import { validateProof } from './proof-of-possession.ts';
import { validateSignerName } from './signer-name.ts';

const DEFAULT_SECONDS = 86_400;
const MIN_SECONDS = 3600;
const MAX_SECONDS = 91 * 86_400;
/** Signers of Kubernetes itself never issue for longer. */
const MAX_KUBERNETES_SECONDS = 86_400;
const MAX_UID_CHARS = 128;

function validateSpec(spec: Spec): FieldError[] {
  const name = (field: keyof Spec): FieldError[] =>
    problemsOf(`spec.${field}`, String(spec[field] ?? ''), dns1123SubdomainProblems);
  const uid = (field: keyof Spec): FieldError[] => {
    const value = String(spec[field] ?? '');
    if (value === '') return [required(`spec.${field}`, 'must not be empty')];
    return value.length > MAX_UID_CHARS
      ? [invalidValue(`spec.${field}`, value, `may not be longer than ${MAX_UID_CHARS} characters`)]
      : [];
  };
  return [
    ...validateSignerName('spec.signerName', spec.signerName ?? ''),
    ...name('podName'),
    ...uid('podUID'),
    ...name('serviceAccountName'),
    ...uid('serviceAccountUID'),
    ...name('nodeName'),
    ...uid('nodeUID'),
    ...validateSeconds(spec),
    ...validateProof(spec),
    ...validateAnnotations(spec.unverifiedUserAnnotations ?? {}),
  ];
}

function validateSeconds({ signerName = '', maxExpirationSeconds = DEFAULT_SECONDS }: Spec): FieldError[] {
  const isOwn = /^([^/]+\.)?kubernetes\.io\//.test(signerName);
  const max = isOwn ? MAX_KUBERNETES_SECONDS : MAX_SECONDS;
  if (maxExpirationSeconds >= MIN_SECONDS && maxExpirationSeconds <= max) return [];
  const why = `must be in the range [${MIN_SECONDS}, ${max}]`;
  return [invalidValue('spec.maxExpirationSeconds', maxExpirationSeconds, why)];
}

/** As annotations, and every key has a domain in front. */
function validateAnnotations(annotations: Readonly<Record<string, string>>): FieldError[] {
  const path = 'spec.unverifiedUserAnnotations';
  const errors: FieldError[] = [];
  let sizeBytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    sizeBytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    for (const problem of labelKeyProblems(key.toLowerCase())) errors.push(invalidValue(path, key, problem));
    if (!key.includes('/')) errors.push(invalidValue(path, key, 'must be domain-prefixed'));
  }
  if (sizeBytes > LIMITS.object.annotationsBytes)
    errors.push(invalidValue(path, '', `may not be more than ${LIMITS.object.annotationsBytes} bytes`));
  return errors;
}

/** Version 1 has no fields for a key without a request around it. */
function toV1(object: PodCertificateRequest): PodCertificateRequest {
  const { pkixPublicKey: _key, proofOfPossession: _proof, ...spec } = object.spec;
  return { ...object, apiVersion: apiVersionOf(podCertificateRequests), spec };
}

/** Asks for a certificate for a pod (KEP-4317). Written by its node, answered by a signer through `status`. */
export const podCertificateRequest: ResourceDefinition<PodCertificateRequest> = {
  resource: podCertificateRequestsV1beta1,
  singular: 'podcertificaterequest',
  otherVersions: [
    {
      resource: podCertificateRequests,
      toStorage: (object) => object as PodCertificateRequest,
      fromStorage: toV1,
    },
  ],
  columns: [
    nameColumn,
    textColumn('PodName', 'Whose certificate it is.', ({ spec }: PodCertificateRequest) => spec?.podName),
    textColumn(
      'ServiceAccountName',
      'As whom the pod runs.',
      ({ spec }: PodCertificateRequest) => spec?.serviceAccountName,
    ),
    textColumn('NodeName', 'Where the pod runs.', ({ spec }: PodCertificateRequest) => spec?.nodeName),
    textColumn('SignerName', 'Who should sign it.', ({ spec }: PodCertificateRequest) => spec?.signerName),
    textColumn(
      'State',
      'Whether it is issued, denied or failed.',
      (object: PodCertificateRequest) => knownConditions(object)[0]?.type ?? 'Pending',
    ),
    ageColumn,
  ],
  selectableFields: {
    'spec.signerName': ({ spec }) => spec?.signerName ?? '',
    'spec.podName': ({ spec }) => spec?.podName ?? '',
    'spec.nodeName': ({ spec }) => spec?.nodeName ?? '',
  },
  strategy: {
    hasGeneration: false,
    allowUnconditionalUpdate: false,
    default: ({ spec }) => {
      if (spec) spec.maxExpirationSeconds ??= DEFAULT_SECONDS;
    },
    prepareCreate: (object) => {
      object.status = {};
    },
    validate: ({ spec }) => (spec ? validateSpec(spec) : [required('spec')]),
    validateUpdate: ({ spec }, old) =>
      equalJson(spec, old.spec) ? [] : [invalidValue('spec', spec, IMMUTABLE)],
  },
  subresources: [
    {
      name: 'status',
      keeps: 'metadata',
      prepareUpdate: (object, old) => {
        object.spec = copyJson(old.spec);
      },
      validateUpdate: validateCertificateStatus,
    },
  ],
};
