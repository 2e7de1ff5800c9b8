import { X509Certificate } from 'node:crypto';
import { humanDuration } from '../../../api/durations.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../../api/field-errors.ts';
import { copyJson, equalJson } from '../../../api/json-value.ts';
import { pathSegmentProblems } from '../../../api/names.ts';
import { certificateSigningRequests } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { CertificateSigningRequest } from '../../../api/types.gen.ts';
import type { ResourceDefinition, StrategyContext } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { decodedText } from '../core/base64.ts';

const DECISIONS: ReadonlySet<string> = new Set(['Approved', 'Denied']);
/** What is never taken back, and never said but to be so. */
const FINAL: readonly string[] = [...DECISIONS, 'Failed'];
const MIN_SECONDS = 600;

function conditionText({ status }: CertificateSigningRequest): string {
  const has = (type: string): boolean => status?.conditions?.some((one) => one.type === type) ?? false;
  const parts = [has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending'];
  if (has('Failed')) parts.push('Failed');
  if (status?.certificate) parts.push('Issued');
  return parts.join(',');
}

/** Who asks is what authentication says, never what the body claims. */
function recordRequester(object: CertificateSigningRequest, { user }: StrategyContext): void {
  const { extra } = user;
  object.spec = {
    ...object.spec,
    username: user.name,
    groups: [...user.groups],
    ...(user.uid && { uid: user.uid }),
    ...(extra && {
      extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])),
    }),
  };
  if (!user.uid) delete object.spec.uid;
  if (!extra) delete object.spec.extra;
}

function validateRequest({ spec }: CertificateSigningRequest): FieldError[] {
  const errors: FieldError[] = [];
  const pem = decodedText(spec.request ?? '');
  if (!/-----BEGIN (NEW )?CERTIFICATE REQUEST-----/.test(pem)) {
    errors.push(
      invalidValue('spec.request', spec.request ?? '', 'PEM block type must be CERTIFICATE REQUEST'),
    );
  }
  if (!spec.usages?.length) errors.push(required('spec.usages'));
  const usages = spec.usages ?? [];
  usages.forEach((usage, index) => {
    if (usages.indexOf(usage) < index) errors.push(duplicate(`spec.usages[${index}]`, usage));
  });
  const signer = spec.signerName ?? '';
  if (signer === '') errors.push(required('spec.signerName'));
  else if (signer === 'kubernetes.io/legacy-unknown') {
    errors.push(
      invalidValue('spec.signerName', signer, 'the legacy signerName is not allowed via this API version'),
    );
  } else if (!/^[a-z0-9.-]+\.[a-z0-9.-]+\/\S+$/.test(signer)) {
    errors.push(
      invalidValue(
        'spec.signerName',
        signer,
        "must be a fully qualified domain and path of the form 'example.com/signer-name'",
      ),
    );
  }
  const seconds = spec.expirationSeconds;
  if (seconds !== undefined && seconds < MIN_SECONDS) {
    errors.push(
      invalidValue(
        'spec.expirationSeconds',
        seconds,
        'may not specify a duration less than 600 seconds (10 minutes)',
      ),
    );
  }
  return errors;
}

type Conditions = NonNullable<NonNullable<CertificateSigningRequest['status']>['conditions']>;
const CONDITIONS = 'status.conditions';
const conditionsOf = ({ status }: CertificateSigningRequest): Conditions => status?.conditions ?? [];
const ofType = (conditions: Conditions, wanted: string): Conditions =>
  conditions.filter(({ type }) => type === wanted);

/** What is wrong with the conditions themselves; what was wrong with the old ones already is let be. */
function validateConditions(object: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  const [now, before] = [conditionsOf(object), conditionsOf(old)];
  const errors: FieldError[] = [];
  const isTwice = (list: Conditions, { type }: Conditions[number], at: number): boolean =>
    list.findIndex((one) => one.type === type) < at;
  const wasTwice = before.some((one, at) => isTwice(before, one, at));
  const wasBoth = [...DECISIONS].every((type) => ofType(before, type).length > 0);
  now.forEach((condition, index) => {
    const { type, status } = condition;
    const path = `${CONDITIONS}[${index}]`;
    if (!type) errors.push(required(`${path}.type`));
    const allowed = FINAL.includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
    if (!status) errors.push(required(`${path}.status`));
    else if (!allowed.includes(status)) errors.push(notSupported(`${path}.status`, status, allowed));
    const isOther = now.slice(0, index).some((one) => one.type !== type && DECISIONS.has(one.type));
    if (!wasBoth && DECISIONS.has(type) && isOther)
      errors.push(invalidValue(CONDITIONS, type, 'Approved and Denied conditions are mutually exclusive'));
    if (!wasTwice && isTwice(now, condition, index)) errors.push(duplicate(`${path}.type`, type));
  });
  for (const type of FINAL) {
    if (ofType(now, type).length < ofType(before, type).length)
      errors.push(
        forbiddenField(CONDITIONS, `updates may not remove a condition of type ${JSON.stringify(type)}`),
      );
  }
  return errors;
}

/** Approval and denial have a route of their own, and are final. */
function validateStatus(object: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  const errors = validateConditions(object, old);
  for (const type of DECISIONS) {
    const [now, before] = [ofType(conditionsOf(object), type), ofType(conditionsOf(old), type)];
    const isChanged = now.length === before.length && !equalJson(now, before);
    const what = now.length > before.length ? 'add' : isChanged ? 'modify' : undefined;
    if (what !== undefined)
      errors.push(
        forbiddenField(CONDITIONS, `updates may not ${what} a condition of type ${JSON.stringify(type)}`),
      );
  }
  const certificate = object.status?.certificate;
  if (certificate === old.status?.certificate) return errors;
  if (certificate && !isCertificate(certificate))
    errors.push(
      invalidValue(
        'status.certificate',
        '<certificate data>',
        'must contain at least one CERTIFICATE PEM block',
      ),
    );
  if (old.status?.certificate)
    errors.push(forbiddenField('status.certificate', 'updates may not modify existing certificate content'));
  return errors;
}

function isCertificate(base64: string): boolean {
  try {
    return new X509Certificate(decodedText(base64)).subject !== undefined;
  } catch {
    return false;
  }
}

/** Times that are left out are filled in; a condition that was there before keeps that of its last transition. */
function stampConditions(
  { status }: CertificateSigningRequest,
  old: CertificateSigningRequest,
  context: () => StrategyContext,
): void {
  for (const one of status?.conditions ?? []) {
    if (one.lastUpdateTime && one.lastTransitionTime) continue;
    const now = context().now();
    one.lastUpdateTime ||= now;
    const before = old.status?.conditions?.find(
      ({ type, status, lastTransitionTime }) =>
        type === one.type && status === one.status && lastTransitionTime,
    );
    one.lastTransitionTime ||= before?.lastTransitionTime ?? now;
  }
}

export const certificateSigningRequest: ResourceDefinition<CertificateSigningRequest> = {
  resource: certificateSigningRequests,
  singular: 'certificatesigningrequest',
  shortNames: ['csr'],
  // Kubelets name theirs in base64.
  validateName: pathSegmentProblems,
  columns: [
    nameColumn,
    ageColumn,
    textColumn(
      'SignerName',
      'Who should sign it.',
      ({ spec }: CertificateSigningRequest) => spec?.signerName,
    ),
    textColumn('Requestor', 'Who asked for it.', ({ spec }: CertificateSigningRequest) => spec?.username),
    textColumn('RequestedDuration', 'How long it should hold.', ({ spec }: CertificateSigningRequest) =>
      spec?.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000),
    ),
    textColumn('Condition', 'Whether it is approved and issued.', conditionText),
  ],
  selectableFields: { 'spec.signerName': ({ spec }) => spec?.signerName ?? '' },
  strategy: {
    hasGeneration: false,
    prepareCreate: (object, context) => {
      recordRequester(object, context);
      object.status = {};
    },
    prepareUpdate: (object, old) => {
      object.spec = copyJson(old.spec);
    },
    validate: validateRequest,
  },
  subresources: [
    { name: 'status', prepareUpdate: stampConditions, validateUpdate: validateStatus },
    {
      name: 'approval',
      update: (submitted, old) => ({
        ...old,
        metadata: submitted.metadata,
        status: { ...old.status, conditions: submitted.status?.conditions ?? [] },
      }),
      prepareUpdate: stampConditions,
      validateUpdate: validateConditions,
    },
  ],
};
