import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { LIMITS } from '../../lib/limits.ts';

export type SpdyHeaders = Readonly<Record<string, string>>;

const WORDS =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status'.split(
    ' ',
  );
const MORE_WORDS = ['200 OK', 'version', 'HTTP/1.1', 'url', 'public', 'set-cookie', 'keep-alive', 'origin'];
const TAIL =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

/** What both ends of SPDY/3 preload zlib with (draft-mbelshe-httpbis-spdy-00, 2.6.10.1). */
export const SPDY_DICTIONARY: Buffer = Buffer.concat([
  ...[...WORDS, ...MORE_WORDS].flatMap((word) => [uint32(word.length), Buffer.from(word)]),
  Buffer.from(TAIL),
]);

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const SYNC = { flush: constants.Z_SYNC_FLUSH, dictionary: SPDY_DICTIONARY } as const;

/**
 * Header blocks of one connection. zlib's state spans all blocks of a direction, so blocks must pass in the order of
 * their frames: await one before the next.
 */
export class SpdyHeaderCodec {
  readonly #inflate: Inflate = createInflate({ ...SYNC, finishFlush: constants.Z_SYNC_FLUSH });
  readonly #deflate: Deflate = createDeflate(SYNC);

  /** Rejects for a block that is damaged or unreasonably large. */
  async decode(block: Buffer): Promise<SpdyHeaders> {
    const bytes = await through(this.#inflate, block);
    const headers: Record<string, string> = {};
    let at = 4;
    const text = (): string => {
      const length = bytes.readUInt32BE(at);
      if (at + 4 + length > bytes.length) throw new Error('SPDY header block ends early');
      at += 4 + length;
      return bytes.toString('utf8', at - length, at);
    };
    for (let left = bytes.readUInt32BE(0); left > 0; left--) {
      const name = text().toLowerCase();
      headers[name] = text();
    }
    return headers;
  }

  encode(headers: SpdyHeaders): Promise<Buffer> {
    const pairs = Object.entries(headers);
    const parts = [uint32(pairs.length)];
    for (const [name, value] of pairs) {
      const [key, text] = [Buffer.from(name), Buffer.from(value)];
      parts.push(uint32(key.length), key, uint32(text.length), text);
    }
    return through(this.#deflate, Buffer.concat(parts));
  }

  close(): void {
    this.#inflate.close();
    this.#deflate.close();
  }
}

function through(zip: Inflate | Deflate, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let sizeBytes = 0;
    const finish = (settle: () => void): void => {
      zip.off('error', fail);
      zip.off('readable', take);
      settle();
    };
    const fail = (error: Error): void => finish(() => reject(error));
    // Read while it is written: a block that unpacks to more than the stream buffers would wait for ever.
    const take = (): void => {
      for (let part = zip.read() as Buffer | null; part !== null; part = zip.read() as Buffer | null) {
        parts.push(part);
        sizeBytes += part.length;
      }
      if (sizeBytes > LIMITS.http.headerBytes) fail(new Error('SPDY header block is too large'));
    };
    zip.on('error', fail);
    zip.on('readable', take);
    zip.write(bytes, () => {
      take();
      finish(() => resolve(Buffer.concat(parts)));
    });
  });
}
