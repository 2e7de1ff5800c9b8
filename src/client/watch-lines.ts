import { LIMITS } from '../lib/limits.ts';

/**
 * Cuts a byte stream into its lines, without their newline, whatever the chunks are. Throws when a line is longer
 * than `maxBytes`; a last line that no newline ended is dropped: the stream broke within it.
 */
export async function* splitLines(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number = LIMITS.client.watchLineBytes,
): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const bytes of stream) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, end));
      const line = Buffer.concat(parts).toString('utf8');
      parts = [];
      sizeBytes = 0;
      from = end + 1;
      if (line !== '') yield line;
    }
    if (from === chunk.length) continue;
    sizeBytes += chunk.length - from;
    if (sizeBytes > maxBytes) throw new Error(`watch event is longer than ${maxBytes} bytes`);
    parts.push(chunk.subarray(from));
  }
}
