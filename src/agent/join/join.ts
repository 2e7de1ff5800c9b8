import { ApiError } from '../../api/status.ts';
import { createHttpsClient } from '../../client/https-client.ts';
import { CA_CERTS_PATH } from '../../client/join-paths.ts';
import type { Clock } from '../../lib/clock.ts';
import { caHashOf, type JoinToken } from '../../lib/join-token.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import { readCertificate } from '../../lib/pki/certificate.ts';
import type { Identity } from './identity.ts';
import { CertificateRefused, type CertificateRequests } from './request-certificate.ts';

/** Every server's certificate has this name, so that it may be reached under any address. */
export const SERVER_NAME = 'kubernetes';
/** Reason of a denied request for the name of a board that is at work. */
const NAME_TAKEN = 'NodeNameTaken';

/** Trying again is no use: a person has to change something. The message says what. */
export class JoinRefused extends Error {
  override readonly name = 'JoinRefused';
}

export interface JoinOptions {
  readonly server: string;
  readonly token: JoinToken;
  readonly nodeName: string;
  /** The authority that is known already; without it, it is fetched and checked against the token. */
  readonly caPem: string | undefined;
  /** Kept from one try to the next. */
  readonly certificates: CertificateRequests;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Makes this board a node of the cluster: checks the server's authority against the token before anything is said to
 * the server, then shows the secret and asks for a certificate. Throws `JoinRefused` for good, anything else for now.
 */
export async function joinCluster(options: JoinOptions): Promise<Identity> {
  const { server, token, nodeName, certificates, clock, log, signal } = options;
  const caPem = options.caPem ?? (await fetchAuthority(server, token));
  const client = createHttpsClient({ server, ca: caPem, serverName: SERVER_NAME, token: token.secret });
  try {
    return { caPem, ...(await certificates.request({ client, nodeName, clock, log, signal })) };
  } catch (error) {
    throw refusal(error, options) ?? error;
  } finally {
    await client.close();
  }
}

/** The authority that the server shows, once it is the one that the token speaks of. Sends no credential. */
export async function fetchAuthority(server: string, token: JoinToken): Promise<string> {
  if (token.caHash === undefined) {
    throw new JoinRefused(
      'the token is only a secret and does not say which server may be trusted: use the whole token, K10…, from <data-dir>/server/node-token on the server',
    );
  }
  const stranger = createHttpsClient({
    server,
    insecureSkipTlsVerify: true,
    maxAnswerBytes: LIMITS.join.authorityBytes,
  });
  try {
    const pem = await stranger.getPath(CA_CERTS_PATH, '*/*');
    if (readCertificate(pem) === undefined)
      throw new JoinRefused(`${server} is no kedge server: it shows no certificate authority`);
    if (caHashOf(pem) !== token.caHash)
      throw new JoinRefused(
        `${server} is not the server that the token is for: its certificate authority is another one, so it was not shown the token`,
      );
    return pem;
  } catch (error) {
    if (error instanceof ApiError && error.code < 500)
      throw new JoinRefused(`${server} is no kedge server: ${error.message}`, { cause: error });
    throw error;
  } finally {
    await stranger.close();
  }
}

function refusal(error: unknown, { server, token, nodeName }: JoinOptions): JoinRefused | undefined {
  if (error instanceof CertificateRefused) {
    if (error.reason === NAME_TAKEN)
      return new JoinRefused(
        `another board is at work as ${JSON.stringify(nodeName)}: give this one another --node-name, or stop the other`,
        { cause: error },
      );
    return new JoinRefused(`the cluster refused a certificate (${error.reason}): ${error.message}`, {
      cause: error,
    });
  }
  if (!(error instanceof ApiError)) return undefined;
  if (error.code === 401) {
    const what =
      token.id === undefined ? 'its secret is wrong' : `${token.id}.… has expired, was deleted or is wrong`;
    const where =
      token.id === undefined ? 'see <data-dir>/server/node-token there' : 'see kedge token list there';
    return new JoinRefused(`${server} does not accept the token: ${what}; ${where}`, { cause: error });
  }
  if (error.code === 403)
    return new JoinRefused(`the token does not let a board join: ${error.message}`, { cause: error });
  return undefined;
}

/** Codes with which TLS says that the server's certificate is of another authority. */
const FOREIGN = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'CERT_SIGNATURE_FAILURE',
]);

/** Whether the server could not be reached because it belongs to another cluster than this board. */
export const isForeignServer = (cause: unknown): boolean => FOREIGN.has(codeOf(cause) ?? '');

/** Why a server was not reached, in words that say what to do. */
export function unreachableText(cause: unknown): string {
  const code = codeOf(cause);
  if (code !== undefined && FOREIGN.has(code))
    return 'its certificate is not signed by the authority of the cluster that this board belongs to';
  if (code === 'CERT_HAS_EXPIRED')
    return `its certificate has ended by the clock of this board, which says ${new Date().toISOString()}; one of the two clocks is wrong`;
  return errorText(cause);
}

function codeOf(cause: unknown): string | undefined {
  for (let error = cause; error instanceof Error; error = error.cause) {
    if ('code' in error && typeof error.code === 'string' && error.code !== '') return error.code;
  }
  return undefined;
}
