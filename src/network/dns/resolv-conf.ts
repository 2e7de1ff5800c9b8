import { readFileSync, statSync } from 'node:fs';

/** `nameserver` lines of a resolv.conf, in order, at most three as resolvers use. */
export function parseNameservers(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => /^\s*nameserver\s+([0-9a-fA-F.:]+)(?:%\S+)?\s*$/.exec(line)?.[1])
    .filter((server) => server !== undefined)
    .slice(0, 3);
}

/**
 * The host's name servers, read again when the file has changed: a board gets them by DHCP long after it booted.
 * Addresses in `exclude` are ours and would make a loop.
 */
export function nameserverSource(path: string, exclude: readonly string[]): () => readonly string[] {
  let readAtMs = -1;
  let servers: readonly string[] = [];
  return () => {
    const changedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (changedMs !== readAtMs) {
      readAtMs = changedMs;
      try {
        servers = parseNameservers(readFileSync(path, 'utf8')).filter((server) => !exclude.includes(server));
      } catch {
        servers = [];
      }
    }
    return servers;
  };
}
