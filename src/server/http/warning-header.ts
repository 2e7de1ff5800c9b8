import { LIMITS } from '../../lib/limits.ts';

/**
 * Values of `Warning:` headers as RFC 7234 writes them, each text once. Too much of them is cut as upstream does: every
 * text to its beginning, and then as many as fit.
 */
export function warningHeader(warnings: readonly string[]): string[] {
  const texts = [...new Set(warnings)].filter((text) => text !== '').map(plain);
  const { warningChars, warningsChars } = LIMITS.http;
  if (texts.reduce((sum, text) => sum + text.length, 0) <= warningsChars) return texts.map(quoted);
  const kept: string[] = [];
  let written = 0;
  for (const text of texts) {
    if (written >= warningsChars) break;
    const start = text.slice(0, warningChars);
    kept.push(quoted(start));
    written += start.length;
  }
  return kept;
}

const quoted = (text: string): string => `299 - "${text.replace(/[\\"]/g, '\\$&')}"`;

/** What a header can carry: a character for each of the text's. */
const plain = (text: string): string => text.replace(/[\x00-\x1f\x7f]/g, ' ').replace(/[^\x20-\xff]/gu, '?');
