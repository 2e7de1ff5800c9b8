import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';

/**
 * `mtls server <port>` tells clients who they are by their certificate; `mtls client <url>` asks until it is told. Both show
 * the certificate of their pod and trust the bundle beside it.
 */
const FOLDER = '/run/tls-config';
const [, , role = '', target = ''] = process.argv;
const bundle = readFileSync(`${FOLDER}/spiffe-cred-bundle.pem`, 'utf8');
const credentials = { key: bundle, cert: bundle, ca: readFileSync(`${FOLDER}/spiffe-trust-bundle.pem`) };

/** The SPIFFE id of a certificate that was shown. */
const idOf = (names = ''): string =>
  names
    .split(', ')
    .find((name) => name.startsWith('URI:spiffe:'))
    ?.slice(4) ?? '';

if (role === 'server') {
  createServer({ ...credentials, requestCert: true, rejectUnauthorized: true }, ({ socket }, response) => {
    const { subjectaltname } = (socket as TLSSocket).getPeerCertificate();
    response.end(`Client Identity: ${idOf(subjectaltname)}`);
  }).listen(Number(target));
} else {
  const ask = (): void => {
    const again = (error: Error): void => {
      console.log(`not yet: ${error.message}`);
      setTimeout(ask, 500);
    };
    // A SPIFFE certificate names a workload, no host.
    const checkServerIdentity = (_: string, { subjectaltname }: { subjectaltname?: string }) =>
      idOf(subjectaltname) === '' ? new Error('the server has no SPIFFE id') : undefined;
    const sent = request(target, { ...credentials, checkServerIdentity }, (answer) => {
      text(answer).then((body) => console.log(`Got response body: ${body}`), again);
    });
    sent.once('error', again);
    sent.end();
  };
  ask();
  setInterval(() => {}, 60_000);
}
