import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { DiscoveredGroup, DiscoveredResource } from '../../api/discovery/resource.ts';
import { DESCRIPTIONS_ASSET, readDescriptions } from '../../api/openapi/descriptions.ts';
import {
  type DocumentOptions,
  documentHash,
  openApiV2,
  openApiV3,
  openApiV3Index,
} from '../../api/openapi/document.ts';
import {
  OPENAPI_V2_PROTOBUF_ACCEPT,
  OPENAPI_V2_PROTOBUF_TYPE,
  openApiV2Protobuf,
} from '../../api/openapi/v2-protobuf.ts';
import { readAsset } from '../../lib/assets.ts';
import { VERSION } from '../../lib/version.ts';
import { type Exchange, sendBytes, sendHead, sendJson, sendText } from './exchange.ts';
import { acceptsGzip } from './negotiate.ts';
import type { Page } from './path-pages.ts';

/** `/openapi/v2`, `/openapi/v3` and what lies below, for whatever discovery says is served. */
export function openApiPages(
  groups: () => readonly DiscoveredGroup[],
  options: OpenApiOptions,
): ReadonlyMap<string, Page> {
  const pages = new OpenApiPages(() => groups().map(own), options);
  return new Map([
    ['/openapi/v2', pages.v2],
    ['/openapi/v3', pages.index],
    ['/openapi/v3/', pages.document],
  ]);
}

/** What other servers have to say. */
export interface OtherDocuments {
  /** Their part of the index, by path. */
  index(): Promise<Record<string, object>>;
  v2(): Promise<NonNullable<DocumentOptions['more']> & { readonly hash: string }>;
  /** Answers for the document of a version that is theirs; `undefined` for ours. */
  page(exchange: Exchange, path: string): Promise<void> | undefined;
}

export interface OpenApiOptions {
  readonly customSchema: DocumentOptions['customSchema'];
  readonly others: OtherDocuments;
}

/** Without the versions that other servers describe. */
function own({ group, versions }: DiscoveredGroup): DiscoveredGroup {
  return { group, versions: versions.filter(({ remote }) => remote === undefined) };
}

/** `/openapi/v3`, one document for each group and version below it, and `/openapi/v2`. Nothing of them is kept. */
class OpenApiPages {
  readonly #groups: () => readonly DiscoveredGroup[];
  readonly #customSchema: DocumentOptions['customSchema'];
  readonly #others: OtherDocuments;

  constructor(groups: () => readonly DiscoveredGroup[], { customSchema, others }: OpenApiOptions) {
    this.#groups = groups;
    this.#customSchema = customSchema;
    this.#others = others;
  }

  readonly index: Page = async (exchange) => {
    const documents = this.#groups().flatMap(({ group, versions }) =>
      versions.map(({ version, resources }) => ({ group, version, hash: hashOf(resources) })),
    );
    const { paths } = openApiV3Index(documents);
    return sendJson(exchange, 200, { paths: { ...paths, ...(await this.#others.index()) } });
  };

  /** With the hash in the URL an answer stays good for ever; with an old one the client is sent to the new. */
  readonly document: Page = async (exchange) => {
    const other = this.#others.page(exchange, exchange.path.slice('/openapi/v3'.length));
    if (other) return other;
    const [root, ...parts] = exchange.path.slice('/openapi/v3/'.length).split('/');
    const [group, version] = root === 'api' ? ['', parts[0]] : [parts[0], parts[1]];
    const resources = this.#groups()
      .find((one) => one.group === group)
      ?.versions.find((one) => one.version === version)?.resources;
    if (!resources) return sendText(exchange, 404, '404 page not found\n');
    const hash = hashOf(resources);
    const asked = exchange.query.get('hash');
    if (asked && asked !== hash) {
      exchange.fields.set('location', `${exchange.path}?hash=${hash}`);
      sendHead(exchange, 301);
      exchange.response.end();
      return;
    }
    if (asked) {
      exchange.fields.set('cache-control', 'public, immutable');
      exchange.fields.set('expires', new Date(Date.now() + YEAR_MS).toUTCString());
    }
    if (isKnown(exchange, hash)) return;
    const descriptions = await readDescriptions(readAsset(DESCRIPTIONS_ASSET));
    const customSchema = this.#customSchema;
    return sendPieces(exchange, openApiV3({ resources, descriptions, serverVersion: VERSION, customSchema }));
  };

  readonly v2: Page = async (exchange) => {
    const resources = this.#groups().flatMap(({ versions }) => versions.flatMap((one) => one.resources));
    const protobuf = (exchange.request.headers.accept ?? '').includes(OPENAPI_V2_PROTOBUF_ACCEPT);
    const more = await this.#others.v2();
    if (isKnown(exchange, `${hashOf(resources)}${more.hash}${protobuf ? 'P' : ''}`)) return;
    const descriptions = await readDescriptions(readAsset(DESCRIPTIONS_ASSET));
    const customSchema = this.#customSchema;
    const options = { resources, descriptions, serverVersion: VERSION, customSchema, more };
    if (!protobuf) return sendPieces(exchange, openApiV2(options));
    return sendBytes(exchange, 200, OPENAPI_V2_PROTOBUF_TYPE, Buffer.from(openApiV2Protobuf(options)));
  };
}

const YEAR_MS = 365 * 24 * 3_600_000;

function hashOf(resources: readonly DiscoveredResource[]): string {
  return documentHash({ resources, serverVersion: VERSION });
}

/** Answers 304 to a client that has the document already. */
function isKnown(exchange: Exchange, hash: string): boolean {
  const etag = `"${hash}"`;
  exchange.fields.set('etag', etag);
  exchange.fields.set('vary', 'Accept, Accept-Encoding');
  if (exchange.request.headers['if-none-match'] !== etag) return false;
  sendHead(exchange, 304);
  exchange.response.end();
  return true;
}

async function sendPieces(exchange: Exchange, pieces: Iterable<string>): Promise<void> {
  const { request, response, fields } = exchange;
  fields.set('content-type', 'application/json');
  const zip = acceptsGzip(request.headers['accept-encoding']);
  if (zip) fields.set('content-encoding', 'gzip');
  sendHead(exchange, 200);
  const source = Readable.from(joined(pieces));
  const sent = zip ? pipeline(source, createGzip({ level: 1 }), response) : pipeline(source, response);
  await sent.catch((error: unknown) => {
    if (!exchange.disconnect.happened) throw error;
  });
}

const PIECE_CHARS = 16 * 1024;

/** Small pieces joined, so that each write is worth its cost. */
function* joined(pieces: Iterable<string>): Iterable<Buffer> {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < PIECE_CHARS) continue;
    yield Buffer.from(text);
    text = '';
  }
  if (text !== '') yield Buffer.from(text);
}
