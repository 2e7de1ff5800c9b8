import type { IncomingMessage } from 'node:http';

/** A whole body as text. Rejects for one that is larger, cut off, or not there when the signal aborts. */
export async function readText(
  answer: IncomingMessage,
  maxBytes: number,
  ended: AbortSignal,
): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    answer.destroy();
    throw ended.aborted ? ended.reason : error;
  }
  return Buffer.concat(chunks).toString('utf8');
}
