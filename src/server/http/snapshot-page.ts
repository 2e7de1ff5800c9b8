import { apiError } from '../../api/status.ts';
import { sendJson } from './exchange.ts';
import type { Page } from './path-pages.ts';

/**
 * Takes a snapshot of the datastore and answers where it lies on the server's disk: `{"path": …}`. Needs the right to
 * post to its path, which only administrators have.
 */
export function snapshotPage(snapshot: () => Promise<string>): Page {
  return async (exchange) => {
    const { method } = exchange.request;
    if (method !== 'POST')
      throw apiError(
        'MethodNotAllowed',
        `the server does not allow ${method}: snapshots are taken with POST`,
      );
    await sendJson(exchange, 200, { path: await snapshot() });
  };
}
