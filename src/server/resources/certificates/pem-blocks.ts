/** One `-----BEGIN type-----` block (RFC 7468). */
export interface PemBlock {
  readonly type: string;
  /** Without white space. */
  readonly body: string;
}

/** The complete blocks of a text, in one pass; whatever stands between them is passed over. */
export function pemBlocks(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let type: string | undefined;
  let lines: string[] = [];
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    const begin = /^-----BEGIN ([^-]*)-----$/.exec(trimmed)?.[1];
    if (begin !== undefined) {
      type = begin;
      lines = [];
    } else if (type !== undefined && trimmed === `-----END ${type}-----`) {
      blocks.push({ type, body: lines.join('') });
      type = undefined;
    } else if (type !== undefined) lines.push(trimmed);
  }
  return blocks;
}
