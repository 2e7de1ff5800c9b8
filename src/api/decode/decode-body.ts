/** From the bytes of a request to an object of the expected kind, with upstream's warnings and errors. */
import { invalidValue } from '../field-errors.ts';
import { isObject, type JsonObject } from '../json-value.ts';
import { ProtobufError } from '../protobuf/reader.ts';
import { apiVersionOf, type KubeObject } from '../resource.ts';
import { kindSchema } from '../schema/built-in.ts';
import type { SchemaNode } from '../schema/node.ts';
import { type ApiError, apiError, badRequest, invalid } from '../status.ts';
import { JsonSyntaxError } from './careful-json.ts';
import { conform, TypeMismatchError } from './conform.ts';
import { parseJson } from './json-text.ts';
import { type Message, messageOfKind, SERVED_MESSAGES, withOtherMessages } from './message-table.ts';
import { decodeAs, openEnvelope } from './protobuf.ts';
import { duplicateField, inTextOrder, unknownField, warningsOf } from './strict-errors.ts';
import { parseYaml, YamlSyntaxError } from './yaml-text.ts';

/** What to do about unknown and duplicate fields (`?fieldValidation=`); upstream's default is `Warn`. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export interface DecodeOptions {
  readonly bytes: Uint8Array;
  /** The `Content-Type` header; empty means JSON. */
  readonly contentType: string;
  /** What the route takes. A body without `kind` and `apiVersion` is taken to be that. */
  readonly expected: Kind;
  /** Gives the parsed body the shape of its schema, the built-in kind's by default; see `conformObject`. */
  readonly shape?: ((value: unknown) => Fitted) | undefined;
  readonly fieldValidation?: FieldValidation | undefined;
  /** Other versions of the same kind that the body may be written in, such as v1beta1 of an Eviction. */
  readonly alsoAccepted?: readonly Kind[] | undefined;
  /** Reads the asset of the messages of versions that are not served: asked for only where a body names one. */
  readonly otherMessages?: (() => Uint8Array) | undefined;
}

export interface Fitted {
  readonly object: JsonObject;
  /** Paths such as `spec.foo`. */
  readonly unknownFields: readonly string[];
}

export interface Decoded {
  /** Has `kind` and `apiVersion` as the body gave them, or as expected. */
  readonly object: KubeObject;
  /** For `Warning:` headers: unknown and duplicate fields. */
  readonly warnings: readonly string[];
}

export const JSON_TYPE = 'application/json';
export const YAML_TYPE = 'application/yaml';
export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';
const BODY_TYPES = [JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE];
const NONE: readonly string[] = [];

/**
 * Decodes a request body. Throws `ApiError`: 415 for a content type nobody speaks, else 400 in upstream's words. Values
 * are typed, quantities and times canonical, unknown fields gone; nothing is defaulted yet.
 */
export function decodeBody(options: DecodeOptions): Decoded {
  const { bytes, expected, fieldValidation = 'Warn' } = options;
  const parsed = parseBody(mediaType(options.contentType), options);
  const actual = actualKind(parsed.value, bytes, expected);
  checkKind(actual, parsed.value, options);
  try {
    const { shape = shapeOf(actual) } = options;
    const { object, unknownFields } = shape(parsed.value ?? {});
    const problems = fieldValidation === 'Ignore' ? [] : strictErrors(parsed, unknownFields, options);
    if (problems.length > 0 && fieldValidation === 'Strict') {
      throw cannotBeHandled(actual, expected, `strict decoding error: ${problems.join(', ')}`);
    }
    object['apiVersion'] = apiVersionOf(actual);
    object['kind'] = actual.kind;
    return {
      object: object as unknown as KubeObject,
      warnings: problems.length === 0 ? NONE : problems.flatMap(warningsOf),
    };
  } catch (error) {
    if (error instanceof TypeMismatchError) throw cannotBeHandled(actual, expected, error.message);
    throw error;
  }
}

/**
 * Fits plain JSON, such as the result of a patch, to a schema; the value may be changed and reused. Throws {@link TypeMismatchError}.
 */
export function conformObject(value: unknown, schema: SchemaNode): Fitted {
  const { value: object, unknownFields } = conform(value, schema);
  return { object: object as JsonObject, unknownFields };
}

/** Everything that strict validation refuses. That of custom resources and of YAML tells repetitions first. */
function strictErrors(
  parsed: ParsedBody,
  unknown: readonly string[],
  options: DecodeOptions,
): readonly string[] {
  const { text, duplicates, yamlErrors } = parsed;
  if (unknown.length === 0 && duplicates.length === 0) return yamlErrors;
  const isTyped = text !== undefined && kindSchema(options.expected) !== undefined;
  return isTyped && duplicates.length > 0 && unknown.length > 0
    ? inTextOrder(text, duplicates, unknown)
    : [...yamlErrors, ...duplicates.map(duplicateField), ...unknown.map(unknownField)];
}

/** The media type of a `Content-Type` header without parameters; JSON where there is none. */
export function mediaType(contentType: string): string {
  if (contentType === JSON_TYPE) return JSON_TYPE;
  return contentType.split(';', 1)[0]?.trim().toLowerCase() || JSON_TYPE;
}

interface ParsedBody {
  readonly value: unknown;
  /** Paths of members that a JSON body repeats. */
  readonly duplicates: readonly string[];
  /** What YAML repeats, in the words of its parser. */
  readonly yamlErrors: readonly string[];
  /** A JSON body with repetitions, to tell where in it they are. */
  readonly text?: string;
}

function parseBody(type: string, options: DecodeOptions): ParsedBody {
  const { bytes, expected } = options;
  try {
    switch (type) {
      case JSON_TYPE:
        return parseJsonBody(bytes);
      case YAML_TYPE:
      case 'application/x-yaml':
      case 'text/yaml':
        return parseYamlOrJson(bytes);
      case PROTOBUF_TYPE:
        return parseProtobufBody(options);
      default:
        throw apiError(
          'UnsupportedMediaType',
          `the body of the request was in an unknown format - accepted media types include: ${BODY_TYPES.join(', ')}`,
        );
    }
  } catch (error) {
    if (error instanceof JsonSyntaxError) {
      throw unrecognized(bytes, expected, `couldn't get version/kind; json parse error: ${error.message}`);
    }
    if (error instanceof YamlSyntaxError) {
      throw unrecognized(bytes, expected, `error converting YAML to JSON: ${error.message}`);
    }
    if (error instanceof ProtobufError) throw unrecognized(bytes, expected, error.message);
    throw error;
  }
}

function parseJsonBody(bytes: Uint8Array): ParsedBody {
  const { value, duplicates } = parseJson(bytes);
  if (duplicates.length === 0) return { value, duplicates, yamlErrors: NONE };
  return { value, duplicates, yamlErrors: NONE, text: Buffer.from(bytes).toString('utf8') };
}

/** Most YAML on the wire is JSON: kubectl sends server-side apply so. That saves the slow parser. */
function parseYamlOrJson(bytes: Uint8Array): ParsedBody {
  return parseJsonOnly(bytes) ?? parseYamlBody(bytes);
}

/** A configuration to be applied. `strictError` tells what it repeats, in the words of the YAML parser. */
export function parseApplied(bytes: Uint8Array): { readonly value: unknown; readonly strictError?: string } {
  const quick = parseJsonOnly(bytes);
  const { value, yamlErrors } = quick?.duplicates.length === 0 ? quick : parseYamlBody(bytes);
  const [strictError] = yamlErrors;
  return strictError === undefined ? { value } : { value, strictError };
}

function parseJsonOnly(bytes: Uint8Array): ParsedBody | undefined {
  if (bytes[0] !== 0x7b) return undefined;
  try {
    return parseJsonBody(bytes);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined;
    throw error;
  }
}

function parseYamlBody(bytes: Uint8Array): ParsedBody {
  const { value, duplicates } = parseYaml(bytes);
  const errors = duplicates.map((line) => `  ${line}`).join('\n');
  const yamlErrors = errors === '' ? [] : [`yaml: unmarshal errors:\n${errors}`];
  return { value, duplicates: [], yamlErrors };
}

function parseProtobufBody(options: DecodeOptions): ParsedBody {
  const { bytes, expected } = options;
  const envelope = openEnvelope(bytes);
  const written = envelope.kind === '' ? expected : parseKind(envelope.apiVersion, envelope.kind);
  const message = written && messageOf(written, options);
  if (message === undefined && kindSchema(expected) === undefined) {
    throw badRequest(
      `${envelope.kind} in version ${JSON.stringify(envelope.apiVersion)} cannot be handled as a ${expected.kind}: object *unstructured.Unstructured cannot be decoded from protobuf; send JSON`,
    );
  }
  // Of a kind nobody knows only the name is read, for the complaint about it.
  const object = message === undefined ? {} : decodeAs(envelope.raw, message);
  if (envelope.kind !== '') {
    object['apiVersion'] = envelope.apiVersion;
    object['kind'] = envelope.kind;
  }
  return { value: object, duplicates: [], yamlErrors: [] };
}

/** The message of a kind in any version. */
function messageOf(kind: Kind, { otherMessages }: DecodeOptions): Message | undefined {
  const served = messageOfKind(SERVED_MESSAGES, kind);
  if (served !== undefined || otherMessages === undefined) return served;
  return messageOfKind(withOtherMessages(otherMessages()), kind);
}

/** The kind the body says it is; what it does not say is as expected. */
function actualKind(value: unknown, bytes: Uint8Array, expected: Kind): Kind {
  const isExpected =
    isObject(value) && value['kind'] === expected.kind && value['apiVersion'] === apiVersionOf(expected);
  return isExpected ? expected : writtenKind(value, bytes, expected);
}

function writtenKind(value: unknown, bytes: Uint8Array, expected: Kind): Kind {
  const refuse = (why: string): ApiError =>
    unrecognized(bytes, expected, `couldn't get version/kind; json parse error: ${why}`);
  if (value !== null && (typeof value !== 'object' || Array.isArray(value))) {
    const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
    throw refuse(
      `json: cannot unmarshal ${what} into Go value of type struct { APIVersion string; Kind string }`,
    );
  }
  const { apiVersion = '', kind = '' } = (value ?? {}) as { apiVersion?: unknown; kind?: unknown };
  for (const [name, field] of [
    ['apiVersion', apiVersion],
    ['kind', kind],
  ] as const) {
    if (typeof field !== 'string' && field !== null) {
      const what = typeof field === 'object' ? (Array.isArray(field) ? 'array' : 'object') : typeof field;
      throw refuse(`json: cannot unmarshal ${what} into Go struct field .${name} of type string`);
    }
  }
  const version = typeof apiVersion === 'string' ? apiVersion : '';
  if (isCustom(expected)) {
    if (!kind) {
      const text = Buffer.from(bytes).toString('utf8');
      throw unrecognized(bytes, expected, `Object 'Kind' is missing in '${text}'`);
    }
    if (version === '') throw otherVersion('', expected);
  }
  const name = typeof kind === 'string' && kind !== '' ? kind : expected.kind;
  if (version === '') return { ...expected, kind: name };
  const parsed = parseKind(version, name);
  if (parsed === undefined) throw unrecognized(bytes, expected, `unexpected GroupVersion string: ${version}`);
  return parsed;
}

function parseKind(apiVersion: string, kind: string): Kind | undefined {
  const parts = apiVersion.split('/');
  if (parts.length > 2) return undefined;
  const version = parts.at(-1) ?? '';
  return { group: parts.length === 2 ? (parts[0] ?? '') : '', version, kind };
}

const isSame = (a: Kind, b: Kind): boolean =>
  a === b || (a.kind === b.kind && a.group === b.group && a.version === b.version);

/** Of kinds that exist at run time only, upstream knows no type that a body without a kind could be. */
const isCustom = (expected: Kind): boolean => kindSchema(expected) === undefined;

function otherVersion(apiVersion: string, expected: Kind): ApiError {
  return badRequest(
    `the API version in the data (${apiVersion}) does not match the expected API version (${apiVersionOf(expected)})`,
  );
}

/**
 * Refuses what a patch of its text made of an object where it is of another kind now. `refused` makes the error of what
 * cannot be read as that kind at all. Another version of the same kind is for the schema to judge.
 */
export function checkPatchedKind(
  data: unknown,
  expected: { readonly apiVersion: string; readonly kind: string },
  refused: (why: string) => ApiError,
): void {
  const { apiVersion = '', kind = '' } = (data ?? {}) as { apiVersion?: unknown; kind?: unknown };
  // What is no text is of the wrong type, which the schema says.
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return;
  if (apiVersion === expected.apiVersion && kind === expected.kind) return;
  const wanted = parseKind(expected.apiVersion, expected.kind);
  if (!wanted?.kind) return;
  if (isCustom(wanted)) {
    if (kind === '') throw refused(`Object 'Kind' is missing in '${JSON.stringify(data)}'`);
    throw ofAnotherKind({ apiVersion, kind }, expected, data);
  }
  if (apiVersion === '' || kind === '') return;
  const actual = parseKind(apiVersion, kind);
  if (!actual) throw refused(`unexpected GroupVersion string: ${apiVersion}`);
  if (kindSchema(actual) === undefined) throw refused(notRegistered(actual));
  if (actual.group === wanted.group && actual.kind === wanted.kind) return;
  // Of what is stored upstream has types of its own, one package for each group.
  const [home = ''] = (wanted.group || 'core').split('.');
  throw refused(`converting (${actual.version}.${kind}) to (${home}.${wanted.kind}): unknown conversion`);
}

function ofAnotherKind(
  actual: { readonly apiVersion: string; readonly kind: string },
  expected: { readonly apiVersion: string; readonly kind: string },
  value: unknown,
): ApiError {
  const { metadata } = value as { metadata?: { name?: unknown } };
  const name = typeof metadata?.name === 'string' ? metadata.name : '';
  const { group = '' } = parseKind(actual.apiVersion, actual.kind) ?? {};
  const errors = (['kind', 'apiVersion'] as const)
    .filter((field) => actual[field] !== expected[field])
    .map((field) => invalidValue(field, actual[field], `must be ${expected[field]}`));
  return invalid({ group, kind: actual.kind }, name, errors);
}

const notRegistered = (actual: Kind): string =>
  `no kind ${JSON.stringify(actual.kind)} is registered for version ${JSON.stringify(apiVersionOf(actual))} in scheme "kedge"`;

/** The kind of a custom resource is looked at when everything else is right: then it is a 422. */
function checkCustomKind(actual: Kind, expected: Kind, value: unknown): void {
  if (apiVersionOf(actual) !== apiVersionOf(expected)) throw otherVersion(apiVersionOf(actual), expected);
  if (actual.kind === expected.kind) return;
  const apiVersion = apiVersionOf(expected);
  throw ofAnotherKind({ apiVersion, kind: actual.kind }, { apiVersion, kind: expected.kind }, value);
}

function checkKind(actual: Kind, value: unknown, options: DecodeOptions): void {
  const { expected, alsoAccepted = [] } = options;
  if (isSame(actual, expected) || alsoAccepted.some((kind) => isSame(actual, kind))) return;
  // Every group may say DeleteOptions in its own version.
  if (expected.kind === 'DeleteOptions' && actual.kind === 'DeleteOptions' && kindSchema(actual)) return;
  if (isCustom(expected)) {
    checkCustomKind(actual, expected, value);
    return;
  }
  const isOtherVersion = actual.kind === expected.kind && actual.group === expected.group;
  const isRegistered = (): boolean =>
    kindSchema(actual) !== undefined || messageOf(actual, options) !== undefined;
  if (isOtherVersion && isRegistered()) throw otherVersion(apiVersionOf(actual), expected);
  const why = isRegistered()
    ? `converting (${actual.version}.${actual.kind}) to (${expected.version}.${expected.kind}): unknown conversion`
    : notRegistered(actual);
  throw cannotBeHandled(actual, expected, why);
}

function shapeOf(kind: Kind): (value: unknown) => Fitted {
  const schema = kindSchema(kind);
  if (schema === undefined) throw new Error(`no schema for ${apiVersionOf(kind)} ${kind.kind}`);
  return (value) => {
    const fitted = conformObject(value, schema);
    // Code behind this relies on metadata being there.
    if (schema.field('metadata') !== undefined) fitted.object['metadata'] ??= {};
    return fitted;
  };
}

function cannotBeHandled(actual: Kind, expected: Kind, why: string): ApiError {
  return badRequest(
    `${actual.kind} in version ${JSON.stringify(actual.version)} cannot be handled as a ${expected.kind}: ${why}`,
  );
}

function unrecognized(bytes: Uint8Array, expected: Kind, why: string): ApiError {
  return badRequest(
    `the object provided is unrecognized (must be of type ${expected.kind}): ${why} (${summary(bytes)})`,
  );
}

const SUMMARY_BYTES = 30;

/** The start of a body, to recognize it by. */
function summary(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<empty>';
  const start = Buffer.from(bytes.subarray(0, SUMMARY_BYTES));
  const text = bytes[0] === 0x7b ? start.toString('utf8') : start.toString('hex');
  return bytes.length > SUMMARY_BYTES ? `${text} ...` : text;
}
