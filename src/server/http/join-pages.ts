import { CA_CERTS_PATH, SETTINGS_PATH } from '../../client/join-paths.ts';
import { sendBytes, sendJson } from './exchange.ts';
import type { Page } from './path-pages.ts';

/** What boards that join ask for: the authority to check against their token, and the cluster's settings. */
export function joinPages(options: {
  readonly caPem: string;
  readonly settings: object;
}): ReadonlyMap<string, Page> {
  return new Map<string, Page>([
    [
      CA_CERTS_PATH,
      (exchange) => sendBytes(exchange, 200, 'application/x-pem-file', Buffer.from(options.caPem)),
    ],
    [SETTINGS_PATH, (exchange) => sendJson(exchange, 200, options.settings)],
  ]);
}
