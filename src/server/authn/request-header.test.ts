import { expect, it } from 'vitest';
import { issueCertificate } from '../../lib/pki/certificate.ts';
import { generateKeyPem, publicKeyOf } from '../../lib/pki/key.ts';
import { RequestHeaders } from './request-header.ts';

it('reads name, uid, groups and extra values as upstream does', () => {
  const key = generateKeyPem();
  const caPem = issueCertificate({
    subject: { commonName: 'proxies' },
    publicKey: publicKeyOf(key),
    selfSigningKeyPem: key,
    use: 'ca',
    notBeforeMs: 0,
    notAfterMs: Date.parse('2040-01-01T00:00:00Z'),
  });
  const proxies = new RequestHeaders({ caPem, allowedNames: ['front'] });
  const raw = [
    'X-Remote-User',
    ' ann ',
    'X-Remote-User',
    'bob',
    'x-remote-group',
    'a,b',
    'X-Remote-Group',
    'c',
  ];
  raw.push(
    'X-Remote-Uid',
    '7',
    'X-Remote-Extra-Acme.com%2Fscope',
    'x',
    'X-Remote-Extra-Acme.com%2Fscope',
    'y',
  );
  expect(proxies.userOf('front', [...raw, 'X-Remote-Extra-__proto__', 'z'])).toEqual({
    name: 'ann',
    uid: '7',
    groups: ['a,b', 'c', 'system:authenticated'],
    extra: { 'acme.com/scope': ['x', 'y'], ['__proto__']: ['z'] },
  });
  expect(proxies.userOf('other', raw)).toBeUndefined();
  expect(proxies.userOf('front', ['X-Remote-Group', 'a'])).toBeUndefined();
});
