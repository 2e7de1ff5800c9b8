import { describe, expect, it } from 'vitest';
import { parseKubectlArgs } from './args.ts';

describe('kubectl arguments', () => {
  it('take values in every form kubectl does', () => {
    const args = parseKubectlArgs(['get', '-ojson', 'pods', '-n', 'kube-system', '--selector=a=b', '-Aw']);
    expect(args.positionals).toEqual(['get', 'pods']);
    expect(args.get('output')).toBe('json');
    expect(args.get('namespace')).toBe('kube-system');
    expect(args.get('selector')).toBe('a=b');
    expect(args.has('all-namespaces') && args.has('watch')).toBe(true);
  });

  it('read -f as a file, and as follow for logs', () => {
    expect(parseKubectlArgs(['apply', '-f', 'a.yaml', '-f', '-']).all('filename')).toEqual(['a.yaml', '-']);
    const logs = parseKubectlArgs(['logs', '-f', 'web']);
    expect(logs.has('follow')).toBe(true);
    expect(logs.positionals).toEqual(['logs', 'web']);
  });

  it('leave what follows -- alone', () => {
    const args = parseKubectlArgs(['exec', '-it', 'web', '--', 'ls', '-l', '--']);
    expect(args.rest).toEqual(['ls', '-l', '--']);
    expect(args.has('stdin') && args.has('tty')).toBe(true);
  });

  it('name the nearest flag, and a missing value', () => {
    expect(() => parseKubectlArgs(['get', '--namespce', 'x'])).toThrow(
      /unknown flag --namespce; did you mean --namespace\?/,
    );
    expect(() => parseKubectlArgs(['get', '-z'])).toThrow(/unknown flag -z/);
    expect(() => parseKubectlArgs(['get', '-n'])).toThrow('flag needs an argument: --namespace');
    expect(() => parseKubectlArgs(['get', '--constructor'])).toThrow(/unknown flag --constructor/);
  });
});
