import { X509Certificate } from 'node:crypto';
import {
  forbiddenField,
  IMMUTABLE,
  invalidValue,
  notSupported,
  required,
} from '../../../api/field-errors.ts';
import { equalJson } from '../../../api/json-value.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  Condition,
  CertificatesPodCertificateRequest as PodCertificateRequest,
} from '../../../api/types.gen.ts';
import { pemBlocks } from './pem-blocks.ts';

const KNOWN: ReadonlySet<string> = new Set(['Issued', 'Denied', 'Failed']);
const CHAIN = 'status.certificateChain';
const TIMES = ['notBefore', 'beginRefreshAt', 'notAfter'] as const;

export function knownConditions({ status }: PodCertificateRequest): Condition[] {
  return (status?.conditions ?? []).filter(({ type }) => KNOWN.has(type));
}

/** What a signer may write: one final condition, and with `Issued` the chain and its times. */
export function validateCertificateStatus(
  object: PodCertificateRequest,
  old: PodCertificateRequest,
): FieldError[] {
  const errors: FieldError[] = [];
  (object.status?.conditions ?? []).forEach(({ type, status }, index) => {
    if (KNOWN.has(type) && status !== 'True')
      errors.push(notSupported(`status.conditions[${index}].status`, status, ['True']));
  });
  const known = knownConditions(object);
  if (known.length > 1)
    errors.push(
      invalidValue(
        'status.conditions',
        object.status?.conditions,
        'There may be at most one condition with type "Issued", "Denied", or "Failed"',
      ),
    );
  const before = knownConditions(old);
  if (before.length > 0) {
    if (!equalJson(known, before)) errors.push(invalidValue('status.conditions', known, IMMUTABLE));
    for (const field of ['certificateChain', ...TIMES] as const)
      if (object.status?.[field] !== old.status?.[field])
        errors.push(invalidValue(`status.${field}`, object.status?.[field] ?? '', IMMUTABLE));
    return errors;
  }
  return [...errors, ...(known[0]?.type === 'Issued' ? validateIssued(object) : validateUnissued(object))];
}

function validateUnissued({ status }: PodCertificateRequest): FieldError[] {
  return (['certificateChain', ...TIMES] as const)
    .filter((field) => status?.[field] !== undefined)
    .map((field) =>
      forbiddenField(`status.${field}`, 'may only be set together with the condition "Issued"'),
    );
}

function validateIssued({ spec, status }: PodCertificateRequest): FieldError[] {
  const chain = chainOf(status?.certificateChain ?? '');
  if (typeof chain === 'string') return [invalidValue(CHAIN, status?.certificateChain ?? '', chain)];
  const [leaf] = chain;
  const missing = TIMES.filter((field) => status?.[field] === undefined);
  if (missing.length > 0 || !leaf)
    return missing.map((field) =>
      required(`status.${field}`, 'must be present and consistent with the issued certificate'),
    );
  const [begin, refresh, end] = TIMES.map((field) => Date.parse(status?.[field] ?? '')) as [
    number,
    number,
    number,
  ];
  const errors: FieldError[] = [];
  if (begin !== leaf.validFromDate.getTime())
    errors.push(
      invalidValue(
        'status.notBefore',
        status?.notBefore,
        'must be set to the NotBefore time encoded in the leaf certificate',
      ),
    );
  if (end !== leaf.validToDate.getTime())
    errors.push(
      invalidValue(
        'status.notAfter',
        status?.notAfter,
        'must be set to the NotAfter time encoded in the leaf certificate',
      ),
    );
  if (!(refresh > begin && refresh < end))
    errors.push(
      invalidValue('status.beginRefreshAt', status?.beginRefreshAt, 'must be between notBefore and notAfter'),
    );
  const seconds = (end - begin) / 1000;
  const allowed = spec.maxExpirationSeconds ?? Number.POSITIVE_INFINITY;
  if (seconds < 3600)
    errors.push(invalidValue(CHAIN, '<chain>', 'leaf certificate lifetime must be >= 1 hour'));
  if (seconds > allowed)
    errors.push(
      invalidValue(
        CHAIN,
        '<chain>',
        `leaf certificate lifetime must be <= spec.maxExpirationSeconds (${allowed})`,
      ),
    );
  return errors;
}

function chainOf(text: string): X509Certificate[] | string {
  const blocks = pemBlocks(text);
  if (blocks.length === 0) return 'must contain at least one CERTIFICATE PEM block';
  if (blocks.some(({ type }) => type !== 'CERTIFICATE')) return 'PEM block type must be CERTIFICATE';
  try {
    return blocks.map(({ body }) => new X509Certificate(Buffer.from(body, 'base64')));
  } catch (error) {
    return `issued certificate chain does not parse: ${error instanceof Error ? error.message : String(error)}`;
  }
}
