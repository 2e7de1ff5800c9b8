import { describe, expect, it } from 'vitest';
import {
  caHashOf,
  formatBootstrapToken,
  formatJoinToken,
  isBootstrapToken,
  newBootstrapToken,
  newSecret,
  parseJoinToken,
} from './join-token.ts';

describe('join tokens', () => {
  const caHash = caHashOf('ca');

  it('say which server they are for and what to show it', () => {
    expect(parseJoinToken(formatJoinToken('ca', 'node', 'a:b::c'))).toEqual({
      ...{ caHash, secret: 'a:b::c', id: undefined },
    });
    expect(parseJoinToken(` ${formatBootstrapToken('ca', 'abcdef.0123456789abcdef')}\n`)).toEqual({
      ...{ caHash, secret: 'abcdef.0123456789abcdef', id: 'abcdef' },
    });
    expect(parseJoinToken('mine')).toEqual({ caHash: undefined, secret: 'mine', id: undefined });
    expect(parseJoinToken('abcdef.0123456789abcdef').id).toBe('abcdef');
  });

  it.each([
    ['K10abc::node:x', /copy all of it/],
    [`K10${caHash}::other:x`, /copy all of it/],
    [`K10${caHash}::node:`, /copy all of it/],
    ['', /printable characters/],
    ['two words', /printable characters/],
    [`K10${caHash}::node:line\nbreak`, /copy all of it|printable/],
  ])('refuse %j', (token, problem) => {
    expect(() => parseJoinToken(token)).toThrow(problem);
  });

  it('are made of chance', () => {
    const tokens = new Set(Array.from({ length: 50 }, newBootstrapToken));
    expect(tokens.size).toBe(50);
    expect([...tokens].every(isBootstrapToken)).toBe(true);
    expect(newSecret()).not.toBe(newSecret());
  });
});
