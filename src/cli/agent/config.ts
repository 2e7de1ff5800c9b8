import { type JoinToken, parseJoinToken } from '../../lib/join-token.ts';
import { usageFailure } from '../failure.ts';
import type { FlagValues } from '../flag.ts';
import { type NodeConfig, nodeConfig, optionalFlag, tokenFlag } from '../node/config.ts';

/** What `kedge agent` runs with, checked. */
export interface AgentConfig {
  readonly node: NodeConfig;
  /** Origin, without a path. */
  readonly server: string | undefined;
  readonly token: JoinToken | undefined;
}

/** Checks the values against each other and fills in what the machine knows. Throws a `Failure` naming the flag. */
export function agentConfig(values: FlagValues): AgentConfig {
  const server = optionalFlag(values, 'server');
  const token = tokenFlag(values, 'token');
  return {
    node: nodeConfig(values),
    server: server === undefined ? undefined : origin(server),
    token: token === undefined ? undefined : parseJoinToken(token),
  };
}

function origin(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol !== 'https:' || url.pathname !== '/' || url.search !== '' || url.username !== '')
    throw usageFailure(`--server must be https://<address>:6443, not ${JSON.stringify(text)}`);
  return url.origin;
}
