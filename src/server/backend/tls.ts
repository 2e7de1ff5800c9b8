import type { Duplex } from 'node:stream';
import {
  checkServerIdentity,
  connect,
  getCACertificates,
  type PeerCertificate,
  type TLSSocket,
} from 'node:tls';
import { LIMITS } from '../../lib/limits.ts';

export interface BackendTls {
  /** The name the certificate must have; also sent as SNI unless it is an address. */
  readonly serverName: string;
  /** PEM. The authorities of the operating system where absent. */
  readonly ca?: string | undefined;
  /** Takes any certificate. */
  readonly insecure?: boolean;
  /** Client certificate, PEM. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/**
 * TLS with HTTP/1.1 over a connection that is there already, which it owns from here on. Rejects in Kubernetes' words,
 * such as `tls: failed to verify certificate: x509: certificate signed by unknown authority`.
 */
export function secure(stream: Duplex, options: BackendTls): Promise<TLSSocket> {
  const { serverName, ca, insecure = false, cert, key } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({
      socket: stream,
      // An address is no name for SNI (RFC 6066).
      ...(/^[\d.]+$|:/.test(serverName) ? {} : { servername: serverName }),
      ...trusted(insecure ? '' : ca),
      ...(cert === undefined ? {} : { cert, key }),
      rejectUnauthorized: !insecure,
      ALPNProtocols: ['http/1.1'],
      minVersion: 'TLSv1.2',
      checkServerIdentity: (_, peer) => identityProblem(serverName, peer),
    });
    const timer = setTimeout(
      () => socket.destroy(new Error('net/http: TLS handshake timeout')),
      LIMITS.backend.handshakeMs,
    );
    timer.unref();
    const fail = (error: Error): void => {
      clearTimeout(timer);
      // What comes after the first error is of no interest any more.
      socket.on('error', () => {});
      socket.destroy();
      stream.destroy();
      reject(new Error(tlsFailure(error), { cause: error }));
    };
    const onClose = (): void => fail(new Error('EOF'));
    socket.once('error', fail);
    socket.once('close', onClose);
    stream.once('error', fail);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.removeListener('error', fail);
      socket.removeListener('close', onClose);
      stream.removeListener('error', fail);
      stream.on('error', (error) => socket.destroy(error));
      resolve(socket);
    });
  });
}

function trusted(ca: string | undefined): { ca?: string | string[] } {
  if (ca === '') return {};
  if (ca !== undefined) return { ca };
  const system = getCACertificates('system');
  return system.length === 0 ? {} : { ca: system };
}

/** As clients written in Go, no certificate is taken by its common name alone. */
function identityProblem(serverName: string, peer: PeerCertificate): Error | undefined {
  if (!peer.subjectaltname)
    return new Error('x509: certificate relies on legacy Common Name field, use SANs instead');
  const problem = checkServerIdentity(serverName, peer);
  if (!problem) return undefined;
  const names = peer.subjectaltname.split(', ').map((one) => one.replace(/^(DNS|IP Address):/, ''));
  return new Error(`x509: certificate is valid for ${names.join(', ')}, not ${serverName}`);
}

const UNKNOWN_AUTHORITY = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
]);

function tlsFailure(error: Error): string {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (UNKNOWN_AUTHORITY.has(code))
    return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
  if (error.message.startsWith('x509: ')) return `tls: failed to verify certificate: ${error.message}`;
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return /wrong.version.number|packet.length/i.test(error.message)
      ? 'tls: first record does not look like a TLS handshake'
      : `remote error: tls: ${error.message}`;
  }
  if (code === 'ECONNRESET') return 'EOF';
  return error.message;
}
