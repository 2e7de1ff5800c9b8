/** One thing that is wrong with an expression. */
export interface Issue {
  /** Code points before it; -1 where it has no place. */
  readonly at: number;
  readonly message: string;
}

/** Thrown where reading an expression cannot go on. */
export class IssueError extends Error {
  override readonly name = 'IssueError';
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

const SNIPPET_CHARS = 16_384;

/** All issues in upstream's layout: place, message, the line, and a mark below it (cel-go's `ToDisplayString`). */
export function formatIssues(source: string, issues: readonly Issue[]): string {
  const characters = [...source];
  return issues
    .map((issue) => ({ issue, ...lineOf(characters, issue.at) }))
    .sort((left, right) => left.line - right.line || left.column - right.column)
    .map(({ issue, line, column, text }) => {
      const head = `ERROR: <input>:${line}:${column + 1}: ${issue.message}`;
      if (line < 1 || text.length > SNIPPET_CHARS) return head;
      const shown = text.map((character) => (character === '\t' ? ' ' : character));
      const before = shown.slice(0, column).map((character) => (isWide(character) ? '\uff0e' : '.'));
      const mark = isWide(shown[column] ?? '') ? '\uff3e' : '^';
      return `${head}\n | ${shown.join('')}\n | ${before.join('')}${mark}`;
    })
    .join('\n');
}

const isWide = (character: string): boolean => (character.codePointAt(0) ?? 0) > 0x7f;

function lineOf(characters: readonly string[], at: number): { line: number; column: number; text: string[] } {
  if (at < 0) return { line: -1, column: -1, text: [] };
  let start = 0;
  let line = 1;
  for (let index = 0; index < at; index++) {
    if (characters[index] !== '\n') continue;
    line++;
    start = index + 1;
  }
  const end = characters.indexOf('\n', start);
  return { line, column: at - start, text: characters.slice(start, end < 0 ? characters.length : end) };
}
