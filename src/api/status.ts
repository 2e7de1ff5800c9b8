import { qualifiedResource } from './resource.ts';
import type { Status, StatusCause } from './types.gen.ts';

/**
 * Upstream's status reasons and the HTTP code each one carries
 * (k8s.io/apimachinery/pkg/apis/meta/v1 StatusReason).
 */
export const STATUS_CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
  ServerTimeout: 500,
} as const satisfies Record<string, number>;
export type StatusReason = keyof typeof STATUS_CODES;

/** An error that reaches API clients as a Kubernetes `Status`. */
export class ApiError extends Error {
  readonly status: Status & { code: number };
  constructor(status: Status & { code: number }, options?: ErrorOptions) {
    super(status.message ?? status.reason ?? 'unknown error', options);
    this.name = 'ApiError';
    this.status = status;
  }
  get code(): number {
    return this.status.code;
  }
  get reason(): string {
    return this.status.reason ?? '';
  }
}

export interface StatusOptions {
  details?: Status['details'];
  cause?: unknown;
}

/** A `Failure` Status with the code that belongs to its reason. */
export function apiError(reason: StatusReason, message: string, options: StatusOptions = {}): ApiError {
  return new ApiError(
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      ...(options.details === undefined ? {} : { details: options.details }),
      code: STATUS_CODES[reason],
    },
    options.cause === undefined ? undefined : { cause: options.cause },
  );
}

type Named = { group: string; resource: string };

function details(resource: Named, name: string): Status['details'] {
  return {
    ...(name === '' ? {} : { name }),
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.resource,
  };
}

export const badRequest = (message: string): ApiError => apiError('BadRequest', message);

export function notFound(resource: Named, name: string): ApiError {
  return apiError('NotFound', `${qualifiedResource(resource)} "${name}" not found`, {
    details: details(resource, name),
  });
}

export function alreadyExists(resource: Named, name: string): ApiError {
  return apiError('AlreadyExists', `${qualifiedResource(resource)} "${name}" already exists`, {
    details: details(resource, name),
  });
}

/** 409: somebody else changed the object, or a precondition does not hold. `why` completes upstream's sentence. */
export function conflict(resource: Named, name: string, why: string): ApiError {
  return apiError(
    'Conflict',
    `Operation cannot be fulfilled on ${qualifiedResource(resource)} "${name}": ${why}`,
    { details: details(resource, name) },
  );
}

export const MODIFIED =
  'the object has been modified; please apply your changes to the latest version and try again';

export function forbidden(resource: Named, name: string, why: string): ApiError {
  const what = name === '' ? qualifiedResource(resource) : `${qualifiedResource(resource)} "${name}"`;
  return apiError('Forbidden', `${what} is forbidden: ${why}`, { details: details(resource, name) });
}

/** 403: nothing new is made in a namespace that is being deleted. */
export function namespaceTerminating(resource: Named, name: string, namespace: string): ApiError {
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const { message, status } = forbidden(resource, name, why);
  const cause: StatusCause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  };
  return apiError('Forbidden', message, { details: { ...status.details, causes: [cause] } });
}

/** One thing wrong with one field, as upstream's `field.Error`. */
export interface FieldError {
  /** Path such as `spec.containers[0].image`. */
  field: string;
  reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueNotFound'
    | 'FieldValueTypeInvalid'
    | 'InternalError';
  /** Upstream's full text after the field path, such as `Required value` or `Invalid value: "x": must be …`. */
  message: string;
}

/** 422 with one cause for each field, worded as upstream's `NewInvalid`. */
export function invalid(
  kind: { group: string; kind: string },
  name: string,
  found: readonly FieldError[],
): ApiError {
  // What two checks found alike is told once.
  const errors = [...new Map(found.map((one) => [`${one.field}: ${one.message}`, one])).values()];
  const causes: StatusCause[] = errors.map(({ field, reason, message }) => ({ reason, message, field }));
  const texts = errors.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`));
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const what = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  return apiError('Invalid', `${what} "${name}" is invalid: ${list}`, {
    details: { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.kind, causes },
  });
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.code === 404;
}
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.reason === 'Conflict';
}
export function isAlreadyExists(error: unknown): boolean {
  return error instanceof ApiError && error.reason === 'AlreadyExists';
}
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.code === 410;
}
