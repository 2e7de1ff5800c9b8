/** What may be wrong with an expression, in the words of Go's regexp/syntax. */
export type RegexpProblem =
  | 'invalid character class range'
  | 'invalid escape sequence'
  | 'invalid named capture'
  | 'invalid or unsupported Perl syntax'
  | 'invalid nested repetition operator'
  | 'invalid repeat count'
  | 'missing closing ]'
  | 'missing closing )'
  | 'missing argument to repetition operator'
  | 'trailing backslash at end of expression'
  | 'unexpected )'
  | 'expression nests too deeply'
  | 'expression too large'
  | 'duplicate capture group name';

/** An expression that Go would not compile; the message is Go's. */
export class RegexpSyntaxError extends Error {
  override readonly name = 'RegexpSyntaxError';
  constructor(problem: RegexpProblem, where: string) {
    super(`error parsing regexp: ${problem}: \`${where}\``);
  }
}
