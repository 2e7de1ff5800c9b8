/** Lengths of time in the three forms Kubernetes writes them: Go durations, ages for people, RFC 3339 stamps. */

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Reads a Go duration such as `1h30m` or `-1.5s` as milliseconds. Throws with Go's sentence. */
export function parseGoDuration(text: string): number {
  const bad = (): Error => new Error(`time: invalid duration ${JSON.stringify(text)}`);
  const match = /^([-+]?)(.+)$/.exec(text);
  if (match === null) throw bad();
  const [, sign, rest = ''] = match;
  if (rest === '0') return 0;
  let totalMs = 0;
  let at = 0;
  const part = /(\d+\.?\d*|\.\d+)([^\d.]*)/y;
  while (at < rest.length) {
    part.lastIndex = at;
    const found = part.exec(rest);
    if (found === null) throw bad();
    const [whole, number = '', unit = ''] = found;
    if (unit === '') throw new Error(`time: missing unit in duration ${JSON.stringify(text)}`);
    const unitMs = Object.hasOwn(UNIT_MS, unit) ? UNIT_MS[unit] : undefined;
    if (unitMs === undefined) {
      throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
    }
    totalMs += Number(number) * unitMs;
    at += whole.length;
  }
  // 64 bits of nanoseconds, as Go.
  if (totalMs > 9_223_372_036_854) throw bad();
  return sign === '-' ? -totalMs : totalMs;
}

/** Writes milliseconds as Go does: `1m30s`, `500ms`, `0s`. Finer than a microsecond is dropped. */
export function formatGoDuration(durationMs: number): string {
  if (durationMs === 0) return '0s';
  const sign = durationMs < 0 ? '-' : '';
  const micros = Math.round(Math.abs(durationMs) * 1000);
  const trimmed = (value: number, digits: number): string => value.toFixed(digits).replace(/\.?0+$/, '');
  if (micros < 1000) return `${sign}${micros}µs`;
  if (micros < 1_000_000) return `${sign}${trimmed(micros / 1000, 3)}ms`;
  const hours = Math.floor(micros / 3_600_000_000);
  const minutes = Math.floor(micros / 60_000_000) % 60;
  const seconds = `${trimmed((micros % 60_000_000) / 1_000_000, 6) || '0'}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}

/** An age with two or three significant figures, as `kubectl get` shows: `45s`, `3m20s`, `5h10m`, `2d`, `3y12d`. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000);
  // Two seconds of grace, since machines' clocks differ.
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
    small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 24 * 8) return pair(days, 'd', hours % 24, 'h');
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.trunc(hours / 24 / 365);
  return hours < 24 * 365 * 8 ? pair(years, 'y', days % 365, 'd') : `${years}y`;
}

/** The age of a timestamp; `<unknown>` where there is none. */
export function ageOf(timestamp: string | undefined, nowMs: number): string {
  if (timestamp === undefined) return '<unknown>';
  const thenMs = Date.parse(timestamp);
  return Number.isNaN(thenMs) ? '<unknown>' : humanDuration(nowMs - thenMs);
}

/** `2026-01-02T03:04:05Z`, the form of metav1.Time. */
export function formatTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}
