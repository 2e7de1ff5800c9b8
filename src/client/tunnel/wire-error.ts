import { ApiError } from '../../api/status.ts';
import type { Status } from '../../api/types.gen.ts';

/** How an error travels: a Status as itself, anything else as its message. */
export type WireError =
  | { readonly status: Status & { readonly code: number } }
  | { readonly message: string };

export function toWireError(error: unknown): WireError {
  if (error instanceof ApiError) return { status: error.status };
  return { message: error instanceof Error ? error.message : String(error) };
}

/** The error as the other side had it. What is no error of ours becomes one that says so. */
export function fromWireError(value: unknown): Error {
  const { status, message } = (value ?? {}) as { status?: Partial<Status>; message?: unknown };
  if (typeof status === 'object' && status !== null && typeof status.code === 'number')
    return new ApiError(status as Status & { code: number });
  return new Error(typeof message === 'string' ? message : 'the other side failed and did not say why');
}
