import { ApiError, apiError, badRequest } from '../../../api/status.ts';
import type { Status } from '../../../api/types.gen.ts';
import type { WebhookClient } from '../../backend/webhook-client.ts';
import type { AdmissionAttributes } from '../port.ts';
import type { Webhook } from './hooks.ts';
import type { RejectionError, WebhookMetrics, WebhookType } from './metrics.ts';
import { admissionReview, type ReviewSubject, readVerdict, reviewVersion, type Verdict } from './review.ts';

/** The webhook could not be asked, or what it said makes no sense: `failurePolicy` decides what follows. */
export class CallFailure extends Error {
  readonly code: number;
  constructor(webhook: string, why: string, options: { readonly code: number; readonly cause?: unknown }) {
    super(`failed calling webhook ${JSON.stringify(webhook)}: ${why}`, { cause: options.cause });
    this.code = options.code;
  }
}

/** The webhook said no. */
export class Rejection extends Error {
  readonly status: ApiError;
  constructor(status: ApiError) {
    super(status.message);
    this.status = status;
  }
}

export interface CallOptions {
  readonly client: WebhookClient;
  readonly webhook: Webhook;
  readonly attributes: AdmissionAttributes;
  readonly subject: ReviewSubject;
  readonly mutating: boolean;
}

/** Asks one webhook. Throws `CallFailure`, `Rejection`, or an `ApiError` for a dry run that it does not take part in. */
export async function callWebhook(options: CallOptions): Promise<Verdict> {
  const { client, webhook, attributes, subject, mutating } = options;
  const { name, sideEffects, timeoutSeconds = 10 } = webhook;
  if (attributes.dryRun && sideEffects !== 'None' && sideEffects !== 'NoneOnDryRun')
    throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
  const version = reviewVersion(webhook.admissionReviewVersions);
  if (!version) {
    const why = 'webhook does not accept known AdmissionReview versions (v1, v1beta1)';
    throw new CallFailure(name, `could not create admission objects: ${why}`, { code: 400 });
  }
  const { uid, review } = admissionReview(version, attributes, subject);
  let answer: unknown;
  try {
    const { clientConfig } = webhook;
    const timeoutMs = Math.min(timeoutSeconds * 1000, leftMs(attributes));
    answer = await client.call({ clientConfig, body: review, timeoutMs });
  } catch (cause) {
    const code = cause instanceof ApiError ? cause.code : 503;
    throw new CallFailure(name, `failed to call webhook: ${(cause as Error).message}`, { code, cause });
  }
  const verdict = readOrFail(name, () => readVerdict(answer, { version, uid, mutating }));
  for (const [key, value] of Object.entries(verdict.auditAnnotations))
    attributes.annotate(`${name}/${key}`, value);
  for (const text of verdict.warnings) attributes.warn(text);
  if (!verdict.allowed) throw new Rejection(deniedBy(name, verdict.result));
  return verdict;
}

/** What is left of the time that the request has; without bounds where it has none. */
function leftMs({ endMs, clock }: AdmissionAttributes): number {
  return endMs === undefined ? Infinity : Math.max(0, endMs - clock.monotonicMs());
}

/** A webhook that fails open may have taken all the time there was: nobody waits for what would come next. */
export function refuseLate(attributes: AdmissionAttributes): void {
  if (leftMs(attributes) > 0) return;
  throw apiError('Timeout', 'Timeout: request did not complete within requested timeout');
}

function readOrFail(name: string, read: () => Verdict): Verdict {
  try {
    return read();
  } catch (cause) {
    const why = `received invalid webhook response: ${(cause as Error).message}`;
    throw new CallFailure(name, why, { code: 503, cause });
  }
}

/** The webhook's own status, with its name in front and nothing in it that could pass for success (ToStatusErr). */
function deniedBy(name: string, result: Status | undefined): ApiError {
  const denied = `admission webhook ${JSON.stringify(name)} denied the request`;
  const why = result?.message || result?.reason;
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    ...result,
    metadata: result?.metadata ?? {},
    status: !result?.status || result.status === 'Success' ? 'Failure' : result.status,
    message: why ? `${denied}: ${why}` : `${denied} without explanation`,
    code: Math.max(result?.code ?? 0, 400),
  });
}

/** What the client hears of a webhook that failed closed. */
export function closedBy(failure: CallFailure): ApiError {
  return apiError('InternalError', `Internal error occurred: ${failure.message}`, {
    details: { causes: [{ message: failure.message }] },
    cause: failure,
  });
}

/** Counts one call by how it ended. */
export function observeCall(
  metrics: WebhookMetrics,
  call: {
    readonly webhook: Webhook;
    readonly attributes: AdmissionAttributes;
    readonly type: WebhookType;
    readonly durationMs: number;
    readonly error: unknown;
  },
): void {
  const { webhook, attributes, type, durationMs, error } = call;
  const failedOpen = error instanceof CallFailure && webhook.failurePolicy === 'Ignore';
  const errorType = rejectionError(error);
  metrics.observe({
    name: webhook.name,
    type,
    operation: attributes.operation,
    rejected: errorType !== undefined && !failedOpen,
    code: codeOf(error),
    durationMs,
    ...(errorType === undefined ? {} : { error: errorType }),
    failedOpen,
  });
}

function rejectionError(error: unknown): RejectionError | undefined {
  if (error === undefined) return undefined;
  if (error instanceof CallFailure) return 'calling_webhook_error';
  return error instanceof Rejection ? 'no_error' : 'apiserver_internal_error';
}

function codeOf(error: unknown): number {
  if (error === undefined) return 200;
  if (error instanceof CallFailure) return error.code;
  return error instanceof Rejection ? error.status.code : 0;
}
