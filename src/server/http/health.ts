import { errorText } from '../../lib/log.ts';
import { type Exchange, sendText } from './exchange.ts';
import type { Page } from './path-pages.ts';

/** One named part of health. Throws, or rejects, with what is wrong. */
export interface HealthCheck {
  readonly name: string;
  readonly check: () => void | Promise<void>;
}

/** `/healthz`, `/livez`, `/readyz`: `ok`, or 500 and what failed; all of it with `?verbose`; `?exclude=` leaves out. */
export function healthPage(name: string, checks: () => readonly HealthCheck[]): Page {
  return async (exchange) => {
    const excluded = new Set(exchange.query.getAll('exclude'));
    const all = checks();
    const results = await Promise.all(all.map((one) => run(one, excluded)));
    const failed = results.filter(({ error }) => error !== undefined);
    if (failed.length === 0 && !exchange.query.has('verbose')) return sendText(exchange, 200, 'ok');
    const lines = results.map(({ line }) => line);
    const unknown = [...excluded].filter((wanted) => !all.some((one) => one.name === wanted)).sort();
    if (unknown.length > 0) lines.push(unknownText(unknown));
    const verdict = `${name} check ${failed.length === 0 ? 'passed' : 'failed'}`;
    return sendText(exchange, failed.length === 0 ? 200 : 500, [...lines, verdict, ''].join('\n'));
  };
}

function unknownText(names: readonly string[]): string {
  const quoted = names.map((name) => JSON.stringify(name)).join(', ');
  return `warn: some health checks cannot be excluded: no matches for ${quoted}`;
}

/** `/readyz/<check>` answers for one check alone. */
export function healthCheckPage(prefix: string, checks: () => readonly HealthCheck[]): Page {
  return async (exchange: Exchange) => {
    const one = checks().find(({ name }) => `${prefix}${name}` === exchange.path);
    if (!one) return sendText(exchange, 404, '404 page not found\n');
    const { error } = await run(one, new Set());
    if (error === undefined) return sendText(exchange, 200, 'ok');
    return sendText(exchange, 500, `internal server error: ${errorText(error)}\n`);
  };
}

async function run({ name, check }: HealthCheck, excluded: ReadonlySet<string>) {
  if (excluded.has(name)) return { line: `[+]${name} excluded: ok`, error: undefined };
  try {
    await check();
    return { line: `[+]${name} ok`, error: undefined };
  } catch (error) {
    // As upstream: the reason is for the log and for `/readyz/<check>`, not for everybody who may ask.
    return { line: `[-]${name} failed: reason withheld`, error };
  }
}
