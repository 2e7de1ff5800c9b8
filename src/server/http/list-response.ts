import type { Writable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { apiVersionOf } from '../../api/resource.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { ListedObject, ListPage } from '../registry/list.ts';
import type { Endpoint } from '../registry/registry.ts';
import { toClient } from '../registry/registry.ts';
import { type Exchange, setWarnings } from './exchange.ts';
import { acceptsGzip } from './negotiate.ts';

/** The list's own fields, as upstream orders them. */
export function listMetadata(page: ListPage): object {
  return {
    resourceVersion: String(page.revision),
    ...(page.continue === undefined ? {} : { continue: page.continue }),
    ...(page.remainingItemCount === undefined ? {} : { remainingItemCount: page.remainingItemCount }),
  };
}

/**
 * Streams a list whose items are bytes already, a chunk at a time as the client takes them: never one great string,
 * never more than a chunk in memory beyond what the cache holds anyway.
 */
export async function sendList(exchange: Exchange, endpoint: Endpoint, page: ListPage): Promise<void> {
  const { request, response } = exchange;
  setWarnings(exchange);
  response.statusCode = 200;
  response.setHeader('content-type', 'application/json');
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  if (exchange.audit?.wantsResponse && !sizeAtLeast(page.items, LIMITS.audit.eventChars))
    exchange.audit.responseObject(Buffer.concat([...listChunks(endpoint, page)]));
  const zip =
    acceptsGzip(request.headers['accept-encoding']) && sizeAtLeast(page.items, LIMITS.http.gzipFromBytes);
  let out: Writable = response;
  if (zip) {
    response.setHeader('content-encoding', 'gzip');
    response.setHeader('vary', 'Accept-Encoding');
    const gzip = createGzip({ level: 1 });
    gzip.pipe(response);
    // A client that leaves must not leave the compressor waiting for it.
    response.once('close', () => gzip.destroy());
    out = gzip;
  }
  for (const chunk of listChunks(endpoint, page)) {
    if (exchange.disconnect.happened) break;
    if (!out.write(chunk)) await drained(out);
  }
  out.end();
}

const COMMA = Buffer.from(',');

/** Head, items joined by commas, tail: in pieces of about `listChunkBytes`. */
export function* listChunks(endpoint: Endpoint, page: ListPage): Generator<Buffer> {
  const { resource, conversion, served } = endpoint;
  const listKind = served.definition.listKind ?? `${resource.kind}List`;
  const head = `{"kind":"${listKind}","apiVersion":"${apiVersionOf(resource)}","metadata":${JSON.stringify(listMetadata(page))},"items":[`;
  let parts: Buffer[] = [Buffer.from(head)];
  let sizeBytes = parts[0]!.length;
  let first = true;
  for (const item of page.items) {
    const bytes = conversion ? Buffer.from(JSON.stringify(toClient(endpoint, item.object()))) : item.json();
    if (!first) parts.push(COMMA);
    parts.push(bytes);
    first = false;
    sizeBytes += bytes.length + 1;
    if (sizeBytes < LIMITS.http.listChunkBytes) continue;
    yield Buffer.concat(parts);
    parts = [];
    sizeBytes = 0;
  }
  parts.push(Buffer.from(']}\n'));
  yield Buffer.concat(parts);
}

function sizeAtLeast(items: readonly ListedObject[], wantedBytes: number): boolean {
  let sizeBytes = 0;
  for (const item of items) {
    sizeBytes += item.json().length;
    if (sizeBytes >= wantedBytes) return true;
  }
  return false;
}

/** Resolves when the stream takes more, or will never again. */
function drained(out: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      out.off('drain', done);
      out.off('close', done);
      resolve();
    };
    out.once('drain', done);
    out.once('close', done);
  });
}
