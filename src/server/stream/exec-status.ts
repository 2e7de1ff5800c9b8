import type { Status } from '../../api/types.gen.ts';
import { statusOf } from '../http/exchange.ts';

/** What the error channel says once the process ended: kubectl takes its own exit code from it. */
export function exitStatus(exitCode: number): Status {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

/** What the error channel says when the process could not be run to its end. */
export function failureStatus(error: unknown): Status {
  return statusOf(error);
}
