import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/** Where a request comes from, as proxies and the connection say (upstream's net.SourceIPs); without repetitions. */
export function sourceIPs(headers: IncomingHttpHeaders, remote: string | undefined): string[] {
  const forwarded = [headers['x-forwarded-for'] ?? ''].flat().join(',').split(',');
  const real = [headers['x-real-ip'] ?? ''].flat();
  const all = [...forwarded, ...real, remote ?? ''].map((one) => one.trim().replace(/^::ffff:/, ''));
  return [...new Set(all.filter((one) => isIP(one) !== 0))];
}
