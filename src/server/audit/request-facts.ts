import type { IncomingHttpHeaders } from 'node:http';
import type { RequestFacts } from './record.ts';
import { sourceIPs } from './source-ips.ts';

/** Of HTTP/1.1 and HTTP/2 alike. */
interface Request {
  readonly url?: string;
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string };
}

export function factsOf({ url = '/', headers, socket }: Request, id: string): RequestFacts {
  return {
    id,
    uri: url,
    sourceIPs: sourceIPs(headers, socket.remoteAddress),
    userAgent: headers['user-agent'] ?? '',
  };
}
