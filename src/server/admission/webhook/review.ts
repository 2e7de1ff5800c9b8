import { randomUUID } from 'node:crypto';
import { isObject, type JsonObject } from '../../../api/json-value.ts';
import type { Resource } from '../../../api/resource.ts';
import type { Status } from '../../../api/types.gen.ts';
import type { AdmissionAttributes } from '../port.ts';
import type { ShownObjects } from './shown-objects.ts';

export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** How a webhook sees the request: the version that its rules name. */
export interface ReviewSubject {
  readonly resource: Pick<Resource, 'group' | 'version' | 'resource'>;
  readonly kind: Kind;
  /** As the request was made. */
  readonly requestKind: Kind;
  readonly namespace: string;
  readonly objects: ShownObjects;
}

export type ReviewVersion = 'v1' | 'v1beta1';
const VERSIONS: readonly string[] = ['v1', 'v1beta1'] satisfies ReviewVersion[];

/** The first of the webhook's versions that this server knows. */
export function reviewVersion(accepted: readonly string[] | undefined): ReviewVersion | undefined {
  return accepted?.find((one) => VERSIONS.includes(one)) as ReviewVersion | undefined;
}

/** The `AdmissionReview` that is sent (admission.k8s.io/v1 and v1beta1 differ in their name alone). */
export function admissionReview(
  version: ReviewVersion,
  attributes: AdmissionAttributes,
  subject: ReviewSubject,
): { readonly uid: string; readonly review: object } {
  const { user, requested, subresource, name, operation, dryRun, options = null } = attributes;
  const { group, version: apiVersion, resource } = subject.resource;
  const uid = randomUUID();
  const request = {
    uid,
    kind: subject.kind,
    resource: { group, version: apiVersion, resource },
    ...(subresource === '' ? {} : { subResource: subresource }),
    requestKind: subject.requestKind,
    requestResource: { group: requested.group, version: requested.version, resource: requested.resource },
    ...(subresource === '' ? {} : { requestSubResource: subresource }),
    ...(name === '' ? {} : { name }),
    ...(subject.namespace === '' ? {} : { namespace: subject.namespace }),
    operation,
    userInfo: {
      username: user.name,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      groups: user.groups,
      ...(user.extra && Object.keys(user.extra).length > 0 ? { extra: user.extra } : {}),
    },
    object: subject.objects.object ?? null,
    oldObject: subject.objects.oldObject ?? null,
    dryRun,
    options,
  };
  return { uid, review: { kind: 'AdmissionReview', apiVersion: `admission.k8s.io/${version}`, request } };
}

/** What a webhook decided. */
export interface Verdict {
  readonly allowed: boolean;
  readonly result?: Status;
  /** Decoded from base64; absent: nothing to change. */
  readonly patch?: string;
  readonly patchType: string;
  readonly warnings: readonly string[];
  readonly auditAnnotations: Readonly<Record<string, string>>;
}

interface Expectation {
  readonly version: ReviewVersion;
  readonly uid: string;
  readonly mutating: boolean;
}

/** Reads the answer; throws an error with upstream's words for one that cannot be valid. */
export function readVerdict(answer: unknown, { version, uid, mutating }: Expectation): Verdict {
  const { apiVersion, kind, response } = isObject(answer) ? answer : ({} as JsonObject);
  if (!isObject(response)) throw new Error('webhook response was absent');
  const patch = typeof response['patch'] === 'string' ? response['patch'] : '';
  const patchType = response['patchType'];
  if (version === 'v1') {
    if (response['uid'] !== uid)
      throw new Error(`expected response.uid=${quote(uid)}, got ${quote(textOf(response['uid']))}`);
    const wanted = 'admission.k8s.io/v1, Kind=AdmissionReview';
    const got = `${textOf(apiVersion) || '/'}, Kind=${textOf(kind)}`;
    if (got !== wanted) throw new Error(`expected webhook response of ${wanted}, got ${got}`);
    checkPatch(mutating, patch, patchType);
  }
  return {
    allowed: response['allowed'] === true,
    ...(isObject(response['status']) ? { result: response['status'] as Status } : {}),
    ...(mutating && patch !== '' ? { patch: Buffer.from(patch, 'base64').toString('utf8') } : {}),
    // Older webhooks could not say what kind of patch it is.
    patchType: version === 'v1' ? textOf(patchType) : 'JSONPatch',
    warnings: texts(response['warnings']),
    auditAnnotations: stringMap(response['auditAnnotations']),
  };
}

function checkPatch(mutating: boolean, patch: string, patchType: unknown): void {
  const hasType = patchType !== undefined && patchType !== null;
  if (!mutating) {
    if (patch !== '') throw new Error('validating webhook may not return response.patch');
    if (hasType) throw new Error('validating webhook may not return response.patchType');
    return;
  }
  if (patch !== '' && !hasType) throw new Error('webhook returned response.patch but not response.patchType');
  if (patch === '' && hasType) throw new Error('webhook returned response.patchType but not response.patch');
  if (patchType === '') throw new Error('webhook returned invalid response.patchType of ""');
}

const quote = (text: string): string => JSON.stringify(text);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

function stringMap(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
