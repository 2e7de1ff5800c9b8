import type { IncomingHttpHeaders } from 'node:http';
import { isObject } from '../../api/json-value.ts';
import { ApiError, STATUS_CODES, type StatusReason } from '../../api/status.ts';
import type { Status } from '../../api/types.gen.ts';

const REASONS = new Map<number, StatusReason>(
  (Object.entries(STATUS_CODES) as [StatusReason, number][])
    .filter(([reason]) => !['Conflict', 'Gone', 'ServerTimeout'].includes(reason))
    .map(([reason, code]) => [code, reason]),
);

/** What client-go makes of an answer that explains nothing (`NewGenericServerResponse`). */
const MESSAGES: Readonly<Record<number, string>> = {
  400: 'the server rejected our request for an unknown reason',
  401: 'the server has asked for the client to provide credentials',
  404: 'the server could not find the requested resource',
  405: 'the server does not allow this method on the requested resource',
  409: 'the server reported a conflict',
  422: 'the server rejected our request due to an error in our request',
  429: 'the server has received too many requests and has asked us to try again later',
  503: 'the server is currently unable to handle the request',
  504: 'the server was unable to return a response in the time allotted, but may still be processing the request',
};
/** Here the text of the answer says more than we could. */
const OWN_WORDS = new Set([403, 406, 415]);

/** An answer, read to its end. */
export interface WholeAnswer {
  readonly statusCode: number;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

/** The error in an answer: its Status, or one as client-go words it for an answer that is none. */
export function answerError({ statusCode, text, headers }: WholeAnswer): ApiError {
  const given = statusIn(text);
  if (given) return new ApiError({ ...given, code: given.code ?? statusCode });
  const isServerError = statusCode >= 500 && !(statusCode in MESSAGES);
  const reason: StatusReason | undefined = isServerError ? 'InternalError' : REASONS.get(statusCode);
  const retryAfterSeconds = Number(headers['retry-after'] ?? 0) || undefined;
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: messageOf(statusCode, text.trim().slice(0, 2048)),
    ...(reason === undefined ? {} : { reason }),
    details: {
      causes: [{ reason: 'UnexpectedServerResponse', message: text.trim().slice(0, 2048) }],
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    },
    code: statusCode,
  });
}

function messageOf(statusCode: number, text: string): string {
  if (OWN_WORDS.has(statusCode) && text !== '') return text;
  const known = MESSAGES[statusCode];
  if (known !== undefined) return known;
  if (statusCode >= 500)
    return `an error on the server (${JSON.stringify(text || 'unknown')}) has prevented the request from succeeding`;
  return `the server responded with the status code ${statusCode} but did not return more information`;
}

function statusIn(text: string): Status | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value) && value['kind'] === 'Status' && value['status'] !== 'Success')
      return { details: {}, ...value } as Status;
  } catch {
    // Proxies answer in HTML, webhooks in plain text; the code is what counts then.
  }
  return undefined;
}
