import { createGzip } from 'node:zlib';
import { apiVersionOf } from '../../api/resource.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { ListedObject, ListPage } from '../registry/list.ts';
import type { Endpoint } from '../registry/registry.ts';
import { toClient } from '../registry/registry.ts';
import { type Exchange, sendHead, setWarnings } from './exchange.ts';
import { acceptsGzip } from './negotiate.ts';
import { Piece, StreamedBody } from './streamed-body.ts';

/** The list's own fields, as upstream orders them. */
export function listMetadata(page: ListPage): object {
  return {
    resourceVersion: String(page.revision),
    ...(page.continue === undefined ? {} : { continue: page.continue }),
    ...(page.remainingItemCount === undefined ? {} : { remainingItemCount: page.remainingItemCount }),
  };
}

/** How a list is written: `head`, the items joined by commas, `]}`. */
export interface ListShape {
  readonly head: string;
  /** An item's JSON where it is not shown as the bytes that are stored. */
  readonly encode: ((item: ListedObject) => string) | undefined;
}

/** The objects themselves. */
export function objectList(endpoint: Endpoint, page: ListPage): ListShape {
  const { resource, conversion, served } = endpoint;
  const kind = served.definition.listKind ?? `${resource.kind}List`;
  const head = { kind, apiVersion: apiVersionOf(resource), metadata: listMetadata(page) };
  return {
    head: openList(head, 'items'),
    encode: conversion && ((item) => JSON.stringify(toClient(endpoint, item.object()))),
  };
}

/** Everything of a list up to its first item. */
export function openList(fields: object, items: string): string {
  return `${JSON.stringify(fields).slice(0, -1)},"${items}":[`;
}

/**
 * Streams a list a piece at a time as the client takes it: never one great string, never more than a piece in memory
 * beyond what the cache holds anyway.
 */
export async function sendList(exchange: Exchange, page: ListPage, shape: ListShape): Promise<void> {
  const { request, response, fields } = exchange;
  setWarnings(exchange);
  fields.set('content-type', 'application/json');
  if (request.method === 'HEAD') {
    sendHead(exchange, 200);
    response.end();
    return;
  }
  if (exchange.audit?.wantsResponse && !isAtLeast(page, LIMITS.audit.eventChars))
    exchange.audit.responseObject(listJson(page, shape));
  const zip = acceptsGzip(request.headers['accept-encoding']) && isAtLeast(page, LIMITS.http.gzipFromBytes);
  const body = zip ? compressed(exchange) : new StreamedBody(exchange, 200);
  const list = new ListPieces(page, shape);
  let goOn: () => void = () => {};
  exchange.disconnect.onceHappened(() => goOn());
  while (!list.isOver && !exchange.disconnect.happened) {
    if (body.write(list.next(body.isChunked))) list.renew();
    else
      await new Promise<void>((resolve) => {
        goOn = resolve;
        body.whenDrained(resolve);
      });
  }
  body.end();
}

/** What a list is written to. */
type Body = Pick<StreamedBody, 'isChunked' | 'write' | 'whenDrained' | 'end'>;

function compressed(exchange: Exchange): Body {
  const { response, fields } = exchange;
  fields.set('content-encoding', 'gzip');
  fields.set('vary', 'Accept-Encoding');
  sendHead(exchange, 200);
  const gzip = createGzip({ level: 1 });
  gzip.pipe(response);
  // A client that leaves must not leave the compressor waiting for it.
  response.once('close', () => gzip.destroy());
  return {
    isChunked: false,
    write: (bytes) => gzip.write(bytes),
    whenDrained: (callback) => gzip.once('drain', callback),
    end: () => gzip.end(),
  };
}

/** The whole list at once. */
export function listJson(page: ListPage, shape: ListShape): Buffer {
  const list = new ListPieces(page, shape);
  const pieces: Buffer[] = [];
  while (!list.isOver) {
    pieces.push(list.next(false));
    list.renew();
  }
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
}

const TAIL = ']}\n';

/** Head, items joined by commas, tail: in pieces of about `listChunkBytes`. */
class ListPieces {
  readonly #shape: ListShape;
  readonly #items: readonly ListedObject[];
  readonly #piece: Piece;
  #next = 0;
  #left: Buffer | undefined;
  isOver = false;

  constructor(page: ListPage, shape: ListShape) {
    this.#shape = shape;
    this.#items = page.items;
    const head = Buffer.from(shape.head);
    // Short lists need no large piece.
    const sizeBytes = head.length + sizeUpTo(page.items, LIMITS.http.listChunkBytes) + TAIL.length;
    this.#piece = new Piece(sizeBytes);
    if (this.#piece.hasRoom(head.length)) this.#piece.addBytes(head);
  }

  /** The next piece. Its bytes change with the next call, unless `renew` comes first. */
  next(isChunked: boolean): Buffer {
    while (this.#next < this.#items.length && this.#add(this.#items[this.#next] as ListedObject))
      this.#next++;
    if (this.#next === this.#items.length && this.#piece.hasRoom(TAIL.length)) {
      this.#piece.addText(TAIL);
      this.isOver = true;
    }
    return this.#piece.take(isChunked);
  }

  renew(): void {
    this.#piece.renew();
  }

  #add(item: ListedObject): boolean {
    const piece = this.#piece;
    const comma = this.#next === 0 ? '' : ',';
    const { encode } = this.#shape;
    if (encode) {
      // Kept for the next piece where it does not fit into this one.
      const bytes = this.#left ?? Buffer.from(encode(item));
      const fits = piece.hasRoom(comma.length + bytes.length);
      this.#left = fits ? undefined : bytes;
      if (!fits) return false;
      piece.addText(comma);
      piece.addBytes(bytes);
      return true;
    }
    if (!piece.hasRoom(comma.length + item.jsonBytes)) return false;
    piece.addText(comma);
    piece.addJson(item);
    return true;
  }
}

function isAtLeast({ items }: ListPage, wantedBytes: number): boolean {
  return sizeUpTo(items, wantedBytes) >= wantedBytes;
}

/** What the items and their commas take, or `limitBytes` where that is less. */
function sizeUpTo(items: readonly ListedObject[], limitBytes: number): number {
  let sizeBytes = 0;
  for (const { jsonBytes } of items) {
    sizeBytes += jsonBytes + 1;
    if (sizeBytes >= limitBytes) return limitBytes;
  }
  return sizeBytes;
}
