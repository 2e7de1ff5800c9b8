import { isWord } from './character-class.ts';
import type { Assertion } from './expression.ts';

/** What assertions ask of a neighbouring character. */
export type Kind = 'none' | 'newline' | 'word' | 'other';

export function kindOf(codePoint: number): Kind {
  if (codePoint === 0x0a) return 'newline';
  return isWord(codePoint) ? 'word' : 'other';
}

/** Whether an assertion holds between two characters. */
export function holds(assertion: Assertion, before: Kind, after: Kind): boolean {
  switch (assertion) {
    case 'beginText':
      return before === 'none';
    case 'endText':
      return after === 'none';
    case 'beginLine':
      return before === 'none' || before === 'newline';
    case 'endLine':
      return after === 'none' || after === 'newline';
    case 'word':
      return (before === 'word') !== (after === 'word');
    case 'notWord':
      return (before === 'word') === (after === 'word');
  }
}
