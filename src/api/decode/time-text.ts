/** RFC 3339 timestamps in the two forms that are stored. */

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;

interface Instant {
  /** `2026-01-02T03:04:05` in UTC. */
  readonly seconds: string;
  /** Digits after the second, as many as were given. */
  readonly fraction: string;
}

function parse(text: string): Instant | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const timeMs = Date.parse(`${local}${zone}`);
  if (Number.isNaN(timeMs)) return undefined;
  if (zone === 'Z') {
    // Refuses 30 February, which Date.parse moves into March.
    return new Date(timeMs).toISOString().startsWith(local) ? { seconds: local, fraction } : undefined;
  }
  const iso = new Date(timeMs).toISOString();
  return iso.length === 24 ? { seconds: iso.slice(0, 19), fraction } : undefined;
}

/** Seconds in UTC, as metav1.Time keeps them; undefined for text that is no RFC 3339 timestamp. */
export function canonicalTime(text: string): string | undefined {
  const instant = parse(text);
  return instant === undefined ? undefined : `${instant.seconds}Z`;
}

/** Microseconds in UTC, as metav1.MicroTime keeps them; undefined for text that is no RFC 3339 timestamp. */
export function canonicalMicroTime(text: string): string | undefined {
  const instant = parse(text);
  return instant === undefined
    ? undefined
    : `${instant.seconds}.${instant.fraction.slice(0, 6).padEnd(6, '0')}Z`;
}
