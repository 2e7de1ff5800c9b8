import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { LIMITS } from '../../lib/limits.ts';
import { LABEL } from './labels.ts';

/**
 * What a container left in its termination log or, with `FallbackToLogsOnError` after a failure, the end of its
 * output. The file belongs to the pod: it is opened without following links and never read beyond the bound.
 */
export async function terminationMessage(
  labels: Readonly<Record<string, string>>,
  exitCode: number,
  logPath: string,
): Promise<string | undefined> {
  const path = labels[LABEL.messagePath];
  const { terminationMessageBytes, terminationMessageLogBytes, terminationMessageLogLines } = LIMITS.agent;
  const written = path === undefined ? '' : await readTail(path, terminationMessageBytes, true);
  if (written !== '') return written;
  if (exitCode === 0 || labels[LABEL.messagePolicy] !== 'FallbackToLogsOnError') return undefined;
  const tail = await readTail(logPath, terminationMessageLogBytes, false);
  const lines = tail.split('\n');
  const kept = lines.slice(-terminationMessageLogLines - 1).join('\n');
  return kept === '' ? undefined : kept;
}

async function readTail(path: string, maxBytes: number, fromStart: boolean): Promise<string> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined);
  if (file === undefined) return '';
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return '';
    const length = Math.min(stat.size, maxBytes);
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await file.read(buffer, 0, length, fromStart ? 0 : stat.size - length);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } catch {
    return '';
  } finally {
    await file.close();
  }
}
