import { describe, expect, it } from 'vitest';
import { createLogger, errorText } from './log.ts';

describe('logger', () => {
  it('writes one line a record, quoted where needed, and nothing below its level', () => {
    const lines: string[] = [];
    const log = createLogger({ level: 'info', component: 'agent', write: (line) => void lines.push(line) });
    log.debug('hidden');
    log
      .child('dns')
      .warn('two\nlines', { pod: 'default/web', count: 3, missing: undefined, error: new Error('bad "x"') });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^time=\S+ level=warn component=dns msg="two\\nlines" pod=default\/web count=3 error="bad \\"x\\""\n$/,
    );
  });
});

describe('errorText', () => {
  it('joins causes without repeating what is already said', () => {
    const inner = new Error('disk full');
    const middle = new Error('cannot write: disk full', { cause: inner });
    expect(errorText(new Error('pod web', { cause: middle }))).toBe('pod web: cannot write: disk full');
    expect(errorText('plain')).toBe('plain');
  });
});
