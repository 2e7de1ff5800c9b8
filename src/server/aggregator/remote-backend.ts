import type { OutgoingHttpHeaders } from 'node:http';
import type { CertificateAndKey } from '../../lib/pki/certificate.ts';
import type { Dialer } from '../backend/dialer.ts';
import type { Backend } from '../backend/transport.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { RemoteService } from './api-services.ts';

/** How to reach the Service of an APIService, and prove to it who we are. */
export function remoteBackend(
  { object, service }: RemoteService,
  options: { readonly dialer: Dialer; readonly certificate: CertificateAndKey | undefined },
): Backend {
  const { dialer, certificate } = options;
  const { caBundle, insecureSkipTLSVerify = false } = object.spec ?? {};
  const { namespace, name, port } = service;
  return {
    // Who is trusted, and with what certificate, is part of a connection.
    key: [
      'apiservice',
      object.metadata.uid,
      `${namespace}/${name}:${port}`,
      insecureSkipTLSVerify ? 'insecure' : (caBundle ?? ''),
      certificate?.certificatePem ?? '',
    ].join(' '),
    tls: {
      serverName: `${name}.${namespace}.svc`,
      insecure: insecureSkipTLSVerify,
      ...(caBundle ? { ca: Buffer.from(caBundle, 'base64').toString('utf8') } : {}),
      ...(certificate ? { cert: certificate.certificatePem, key: certificate.keyPem } : {}),
    },
    dial: (signal) => dialer.service({ namespace, name, port }, signal),
  };
}

/** Tells the backend on whose behalf we ask. It believes that because of our certificate. */
export function remoteUserHeaders({ name, uid, groups, extra = {} }: UserInfo): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { 'x-remote-user': encodeText(name) };
  if (uid) headers['x-remote-uid'] = encodeText(uid);
  if (groups.length > 0) headers['x-remote-group'] = groups.map(encodeText);
  for (const [key, values] of Object.entries(extra))
    headers[`x-remote-extra-${encodeKey(key)}`] = values.map(encodeText);
  return headers;
}

/** Header names hold few characters; the rest, and the escape itself, is written as in URLs. */
function encodeKey(key: string): string {
  return [...Buffer.from(key, 'utf8')]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9!#$&'*+.^_`|~-]/.test(char)
        ? char
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

/** Node refuses what is not Latin-1; the bytes of UTF-8 travel as such, as Go sends them. */
function encodeText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
