import 'reflect-metadata';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { connect, createServer } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { afterEach, describe, expect, it } from 'vitest';
import { belongsTogether, type CertificateAndKey, issueCertificate, readCertificate } from './certificate.ts';
import { createCertificateRequest, parseCertificateRequest } from './certificate-request.ts';
import { generateKeyPem, publicKeyOf } from './key.ts';
import { ipBytes, ipText } from './names.ts';
import { CA_LIFETIME_MS, LEAF_LIFETIME_MS, needsRenewal, validity } from './validity.ts';

const now = Date.UTC(2026, 5, 1);
function ca(name: string): CertificateAndKey {
  const keyPem = generateKeyPem();
  const certificatePem = issueCertificate({
    subject: { commonName: name },
    publicKey: publicKeyOf(keyPem),
    selfSigningKeyPem: keyPem,
    use: 'ca',
    ...validity(now, CA_LIFETIME_MS),
  });
  return { keyPem, certificatePem };
}
function leaf(issuer: CertificateAndKey, use: 'server' | 'client'): CertificateAndKey {
  const keyPem = generateKeyPem();
  const certificatePem = issueCertificate({
    subject: { commonName: 'jane', organizations: ['devs', 'ops'] },
    publicKey: publicKeyOf(keyPem),
    issuer,
    use,
    names: { dnsNames: ['localhost', 'kubernetes.default.svc'], ips: ['127.0.0.1', '::1', 'fd00::1:2'] },
    ...validity(now, LEAF_LIFETIME_MS),
  });
  return { keyPem, certificatePem };
}

describe('certificates', () => {
  it('say what they were issued for, also to another implementation', async () => {
    const root = ca('kedge-server-ca');
    const { certificatePem, keyPem } = leaf(root, 'server');
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.subject).toBe('O=devs\nO=ops\nCN=jane');
    expect(certificate.issuer).toBe('CN=kedge-server-ca');
    expect(certificate.subjectAltName).toContain(
      'DNS:localhost, DNS:kubernetes.default.svc, IP Address:127.0.0.1',
    );
    expect(certificate.checkIP('fd00::1:2')).toBe('fd00::1:2');
    expect(certificate.validFrom).toBe('Jan  1 00:00:00 1970 GMT');
    expect(belongsTogether(certificate, keyPem, root.certificatePem)).toBe(true);

    const other = new x509.X509Certificate(certificatePem);
    expect(
      await other.verify({ publicKey: await new x509.X509Certificate(root.certificatePem).publicKey }),
    ).toBe(true);
    expect(other.getExtension(x509.BasicConstraintsExtension)?.ca).toBe(false);
    expect(other.getExtension(x509.ExtendedKeyUsageExtension)?.usages).toEqual([
      x509.ExtendedKeyUsage.serverAuth,
    ]);
    expect(other.getExtension(x509.KeyUsagesExtension)?.usages).toBe(x509.KeyUsageFlags.digitalSignature);
    expect(other.notAfter.getTime()).toBe(now + LEAF_LIFETIME_MS);
    const authority = new x509.X509Certificate(root.certificatePem);
    expect(authority.getExtension(x509.BasicConstraintsExtension)?.ca).toBe(true);
    expect(authority.notAfter.getUTCFullYear()).toBe(2066);
    expect(other.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId).toBe(
      authority.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId,
    );
  });

  it('do not match another key or issuer', () => {
    const root = ca('a');
    const one = leaf(root, 'client');
    const certificate = new X509Certificate(one.certificatePem);
    expect(belongsTogether(certificate, generateKeyPem(), root.certificatePem)).toBe(false);
    expect(belongsTogether(certificate, one.keyPem, ca('a').certificatePem)).toBe(false);
    expect(readCertificate('nonsense')).toBeUndefined();
  });

  describe('in a TLS handshake', () => {
    let close: (() => void) | undefined;
    afterEach(() => close?.());

    it('prove server and client to each other', async () => {
      const serverCa = ca('server-ca');
      const clientCa = ca('client-ca');
      const serving = leaf(serverCa, 'server');
      const client = leaf(clientCa, 'client');
      const server = createServer({
        cert: serving.certificatePem,
        key: serving.keyPem,
        ca: clientCa.certificatePem,
        requestCert: true,
        rejectUnauthorized: true,
      });
      const subject = new Promise((resolve) =>
        server.once('secureConnection', (socket) => resolve(socket.getPeerCertificate().subject)),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      const socket = connect({
        host: '127.0.0.1',
        port,
        ca: serverCa.certificatePem,
        cert: client.certificatePem,
        key: client.keyPem,
      });
      close = () => {
        socket.destroy();
        server.close();
      };
      expect({ ...((await subject) as object) }).toEqual({ CN: 'jane', O: ['devs', 'ops'] });
    });
  });
});

describe('signing requests', () => {
  it('carry subject, names and key', () => {
    const keyPem = generateKeyPem();
    const pem = createCertificateRequest({
      subject: { commonName: 'system:node:pi', organizations: ['system:nodes'] },
      keyPem,
      names: { dnsNames: ['pi'], ips: ['10.0.0.2'] },
    });
    const request = parseCertificateRequest(pem);
    expect(request.subject).toEqual({ commonName: 'system:node:pi', organizations: ['system:nodes'] });
    expect(request.names).toEqual({ dnsNames: ['pi'], ips: ['10.0.0.2'], emails: [], uris: [] });
    expect(request.publicKey.equals(publicKeyOf(keyPem))).toBe(true);
    expect(new x509.Pkcs10CertificateRequest(pem).subject).toBe('O=system:nodes, CN=system:node:pi');
  });

  it.each([
    ['rsa', { modulusLength: 2048 }],
    ['ec', { namedCurve: 'P-384' }],
    ['ed25519', {}],
  ] as const)('can be about a key of type %s, without a subject', (type, options) => {
    const { privateKey, publicKey } = generateKeyPairSync(
      type as 'rsa',
      options as { modulusLength: number },
    );
    const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const pem = createCertificateRequest({ subject: { commonName: '' }, keyPem });
    expect(parseCertificateRequest(pem)).toMatchObject({ subject: { commonName: '', organizations: [] } });
    expect(parseCertificateRequest(pem).publicKey.equals(publicKey)).toBe(true);
    expect(new x509.Pkcs10CertificateRequest(pem).subject).toBe('');
  });

  it('of another implementation are understood', async () => {
    const keys = await crypto.subtle.generateKey(
      {
        name: 'RSASSA-PKCS1-v1_5',
        modulusLength: 2048,
        publicExponent: new Uint8Array([1, 0, 1]),
        hash: 'SHA-256',
      },
      true,
      ['sign', 'verify'],
    );
    const made = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=jane, O=devs',
      keys,
      signingAlgorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'x.y' }])],
    });
    const request = parseCertificateRequest(made.toString('pem'));
    expect(request.subject).toEqual({ commonName: 'jane', organizations: ['devs'] });
    expect(request.names.dnsNames).toEqual(['x.y']);
  });

  it.each<[string, object]>([
    ['two names', [{ CN: ['system:kube-controller-manager'] }, { CN: ['system:node:a'] }]],
    ['a group that only some read', [{ CN: ['jane'] }, { O: [{ bmpString: 'system:masters' }] }]],
  ])('are refused where it is not plain who would get the certificate: %s', async (_, name) => {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const made = await x509.Pkcs10CertificateRequestGenerator.create({
      name: new x509.Name(name as x509.JsonName),
      keys,
      signingAlgorithm: algorithm,
    });
    expect(() => parseCertificateRequest(made.toString('pem'))).toThrow(/the subject h/);
  });

  it('are refused when altered or cut off', () => {
    const pem = createCertificateRequest({ subject: { commonName: 'jane' }, keyPem: generateKeyPem() });
    const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    const altered = Buffer.from(der);
    altered[altered.indexOf('jane')] = 0x4a;
    const wrap = (bytes: Buffer): string =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    expect(() => parseCertificateRequest(wrap(altered))).toThrow('signature does not match the key');
    for (let length = 0; length < der.length; length += 7)
      expect(() => parseCertificateRequest(wrap(der.subarray(0, length)))).toThrow();
    expect(() => parseCertificateRequest('hello')).toThrow('no PEM block');
  });
});

describe('validity', () => {
  it('survives a board that believes in 1970, and one that is ahead', () => {
    const { notBeforeMs, notAfterMs } = validity(0, LEAF_LIFETIME_MS);
    expect(notBeforeMs).toBe(0);
    expect(notAfterMs).toBe(Date.UTC(2027, 0, 1));
    expect(validity(Date.UTC(2040, 0, 1), LEAF_LIFETIME_MS).notBeforeMs).toBe(0);
  });

  it('asks for renewal in the last 90 days', () => {
    const end = now + LEAF_LIFETIME_MS;
    expect(needsRenewal(end, now)).toBe(false);
    expect(needsRenewal(end, end - 89 * 86_400_000)).toBe(true);
    expect(needsRenewal(end, end + 1)).toBe(true);
    expect(needsRenewal(end, 0)).toBe(false);
  });
});

it.each(['10.0.0.1', '::1', 'fd00::1:2', '2001:db8::', '1:2:3:4:5:6:7:8'])('encodes %s', (ip) => {
  expect(ipText(ipBytes(ip))).toBe(ip);
});
