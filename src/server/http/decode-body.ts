import { JsonSyntaxError } from '../../api/decode/careful-json.ts';
import type { FieldValidation } from '../../api/decode/decode-body.ts';
import {
  decodeBody,
  JSON_TYPE,
  mediaType,
  PROTOBUF_TYPE,
  parseApplied,
  YAML_TYPE,
} from '../../api/decode/decode-body.ts';
import { parseJson } from '../../api/decode/json-text.ts';
import { OTHER_MESSAGES_ASSET } from '../../api/decode/message-table.ts';
import { patchErrors, warningsOf } from '../../api/decode/strict-errors.ts';
import { YamlSyntaxError } from '../../api/decode/yaml-text.ts';
import { isObject } from '../../api/json-value.ts';
import type { KubeObject, Resource } from '../../api/resource.ts';
import { type ApiError, apiError, badRequest } from '../../api/status.ts';
import type { Patch } from '../../client/port.ts';
import { readAsset } from '../../lib/assets.ts';
import type { DeleteOptions } from '../registry/delete.ts';
import { readDryRun } from '../registry/dry-run.ts';
import type { ReadPatch } from '../registry/patch.ts';
import type { ObjectSchema } from '../registry/served-resource.ts';
import type { Exchange } from './exchange.ts';
import type { DeleteRequest } from './parameters.ts';

/** What a body is expected to hold. */
export interface Expected {
  readonly kind: BodyKind;
  readonly schema: ObjectSchema;
  readonly validation: FieldValidation;
  /** Other versions of the kind that are taken for the same. */
  readonly alsoAccepted?: readonly BodyKind[] | undefined;
}

type BodyKind = Pick<Resource, 'group' | 'version' | 'kind'>;

/** The object in a request body. Problems that do not refuse it become warnings. Throws 400 or 415. */
export function decodeObject(exchange: Exchange, bytes: Buffer, expected: Expected): KubeObject {
  const { object, warnings } = decodeBody({
    bytes,
    contentType: exchange.request.headers['content-type'] ?? '',
    expected: expected.kind,
    shape: (value) => expected.schema.shape(value),
    fieldValidation: expected.validation,
    alsoAccepted: expected.alsoAccepted,
    otherMessages: () => readAsset(OTHER_MESSAGES_ASSET),
  });
  exchange.warnings.push(...warnings);
  exchange.audit?.requestObject(object);
  return object;
}

const PATCH_TYPES = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
} as const satisfies Record<string, Patch['type']>;

/** What subresources of custom resources take: strategic merge needs types that only built-in kinds have. */
export const CUSTOM_PATCH_TYPES: readonly string[] = Object.entries(PATCH_TYPES)
  .filter(([, type]) => type !== 'strategic')
  .map(([mediaType]) => mediaType);

/** The patch in a request body. Throws 400 or 415. */
export function decodePatch(exchange: Exchange, bytes: Buffer): ReadPatch {
  const media = mediaType(exchange.request.headers['content-type'] ?? '');
  if (!Object.hasOwn(PATCH_TYPES, media)) throw unsupportedMediaType(Object.keys(PATCH_TYPES));
  const type = PATCH_TYPES[media as keyof typeof PATCH_TYPES];
  const { value: body, strictError, duplicates } = readPatch(bytes, type);
  exchange.audit?.requestObject(body);
  if (type === 'json') {
    if (Array.isArray(body))
      return { type, body: body as object[], strictErrors: patchErrors(bytes, body, duplicates) };
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${goKind(body)} into Go value of type jsonpatch.Patch`,
    );
  }
  if (!isObject(body)) {
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${goKind(body)} into Go value of type map[string]interface {}`,
    );
  }
  if (type !== 'apply') return { type, body, strictErrors: patchErrors(bytes, body, duplicates) };
  if (strictError !== undefined) reportRepeated(exchange, strictError);
  return { type, body, force: exchange.query.get('force') === 'true' };
}

/** Fields that an applied configuration repeats. */
function reportRepeated({ query, warnings }: Exchange, strictError: string): void {
  const problem = `error converting YAML to JSON: ${strictError}`;
  const validation = query.get('fieldValidation');
  if (validation === 'Strict') throw badRequest(`error strict decoding YAML: ${problem}`);
  if (validation !== 'Ignore') warnings.push(...warningsOf(problem));
}

interface PatchText {
  readonly value: unknown;
  /** What JSON repeats. */
  readonly duplicates: readonly string[];
  /** What an applied configuration repeats. */
  readonly strictError?: string;
}

function readPatch(bytes: Buffer, type: Patch['type']): PatchText {
  try {
    return type === 'apply' ? { ...parseApplied(bytes), duplicates: [] } : parseJson(bytes);
  } catch (error) {
    if (error instanceof YamlSyntaxError) throw badRequest(`error decoding YAML: ${error.message}`);
    if (error instanceof JsonSyntaxError) throw badRequest(`error decoding patch: ${error.message}`);
    throw error;
  }
}

export function unsupportedMediaType(accepted: readonly string[]): ApiError {
  const text = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`;
  return apiError('UnsupportedMediaType', text);
}

function goKind(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return value === null ? 'null' : typeof value;
}

const DELETE_OPTIONS = { group: '', version: 'v1', kind: 'DeleteOptions' } as const;
const BODY_TYPES = [JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE] as const;

/** `DeleteOptions` from the body, `undefined` where there is none. */
export function decodeDeleteOptions(exchange: Exchange, bytes: Buffer): DeleteRequest | undefined {
  if (bytes.length === 0) return undefined;
  const given = exchange.request.headers['content-type'] ?? '';
  // Clients that only patch and delete send whatever header they have; upstream falls back to JSON, too.
  const contentType = BODY_TYPES.some((type) => type === mediaType(given)) ? given : JSON_TYPE;
  const { object } = decodeBody({ bytes, contentType, expected: DELETE_OPTIONS, fieldValidation: 'Ignore' });
  exchange.audit?.requestObject(object);
  const { dryRun, ...options } = object as unknown as DeleteOptions & { dryRun?: readonly string[] };
  return { ...options, dryRun: readDryRun(dryRun ?? []) };
}
