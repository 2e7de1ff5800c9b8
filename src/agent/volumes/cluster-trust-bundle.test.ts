import { describe, expect, it } from 'vitest';
import type { ClusterTrustBundle } from '../../api/types.gen.ts';
import { toPem } from '../../lib/pki/key.ts';
import { trustAnchors } from './cluster-trust-bundle.ts';

const pem = (text: string): string => toPem('CERTIFICATE', Buffer.from(text));
const bundle = (name: string, texts: string[], signerName = '', labels = {}): ClusterTrustBundle => ({
  metadata: { name, labels },
  spec: { trustBundle: `# of ${name}\n${texts.map(pem).join('\n')}`, signerName },
});
const ALL = [
  bundle('plain', ['a', 'b', 'a']),
  bundle('test:one:1', ['c'], 'test/one', { alive: 'true' }),
  bundle('test:one:2', ['d', 'c'], 'test/one'),
  bundle('test:two:1', ['e'], 'test/two', { alive: 'true' }),
];
const path = 'file';

describe('trust anchors', () => {
  it('are those of a bundle by name, each once and without what stands around', () => {
    expect(trustAnchors(ALL, { path, name: 'plain' })).toBe([pem('a'), pem('b')].sort().join(''));
  });
  it('are those of a signer that the selector matches: none without, all with an empty one', () => {
    const of = (labelSelector?: object) =>
      trustAnchors(ALL, {
        path,
        signerName: 'test/one',
        optional: true,
        ...(labelSelector ? { labelSelector } : {}),
      });
    expect(of({})).toBe([pem('c'), pem('d')].sort().join(''));
    expect(of({ matchLabels: { alive: 'true' } })).toBe(pem('c'));
    expect(of()).toBe('');
  });
  it('may be missing only where that is allowed', () => {
    expect(trustAnchors(ALL, { path, name: 'none', optional: true })).toBe('');
    expect(() => trustAnchors(ALL, { path, name: 'none' })).toThrow('clustertrustbundle "none" not found');
    expect(() => trustAnchors(ALL, { path, signerName: 'test/one' })).toThrow(
      'combination of signerName and labelSelector matched zero ClusterTrustBundles',
    );
  });
});
