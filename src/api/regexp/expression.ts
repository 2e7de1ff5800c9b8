import type { CharacterClass } from './character-class.ts';

/** Where an assertion holds. */
export type Assertion = 'beginText' | 'endText' | 'beginLine' | 'endLine' | 'word' | 'notWord';

/** A parsed expression. Groups leave no trace: what they capture is not told. */
export type Expression =
  | { readonly type: 'empty' }
  | { readonly type: 'class'; readonly members: CharacterClass }
  | { readonly type: 'assert'; readonly assertion: Assertion }
  | { readonly type: 'concat' | 'alternate'; readonly parts: readonly Expression[] }
  | {
      readonly type: 'repeat';
      readonly part: Expression;
      readonly min: number;
      /** Undefined: no end. */
      readonly max: number | undefined;
      /** As few as it takes (`*?`). */
      readonly isLazy: boolean;
    };

export const EMPTY: Expression = { type: 'empty' };
