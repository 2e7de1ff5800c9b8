/** Syntax of `spec.schedule` (robfig/cron's standard parser): five fields, or a name such as `@daily`. */

const NAMED: ReadonlySet<string> = new Set([
  '@yearly',
  '@annually',
  '@monthly',
  '@weekly',
  '@daily',
  '@midnight',
  '@hourly',
]);
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Field {
  readonly low: number;
  readonly high: number;
  readonly names?: readonly string[];
}

const FIELDS: readonly Field[] = [
  { low: 0, high: 59 },
  { low: 0, high: 23 },
  { low: 1, high: 31 },
  { low: 1, high: 12, names: MONTHS },
  { low: 0, high: 6, names: DAYS },
];

/** What is wrong with a schedule; `undefined`: nothing. */
export function scheduleProblem(schedule: string): string | undefined {
  const text = schedule.trim();
  if (text === '') return 'empty spec string';
  if (text.startsWith('@')) {
    if (NAMED.has(text)) return undefined;
    return /^@every \d+(\.\d+)?(ns|us|\u00b5s|ms|s|m|h)/.test(text)
      ? undefined
      : `unrecognized descriptor: ${text}`;
  }
  const parts = text.split(/\s+/);
  if (parts.length !== FIELDS.length) {
    return `expected exactly ${FIELDS.length} fields, found ${parts.length}: [${parts.join(' ')}]`;
  }
  for (const [index, part] of parts.entries()) {
    const problem = part
      .split(',')
      .map((one) => rangeProblem(one, FIELDS[index] as Field))
      .find((one) => one !== undefined);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** `*`, `5`, `1-5`, each with `/2`. */
function rangeProblem(text: string, field: Field): string | undefined {
  const [range = '', step, ...tooMuch] = text.split('/');
  if (tooMuch.length > 0) return `too many slashes: ${text}`;
  if (step !== undefined && !/^\d+$/.test(step))
    return `failed to parse int from ${step}: strconv.Atoi: parsing ${JSON.stringify(step)}: invalid syntax`;
  if (step !== undefined && Number(step) === 0) return `step of range should be a positive number: ${text}`;
  if (range === '*' || range === '?') return undefined;
  const [from = '', to, ...hyphens] = range.split('-');
  if (hyphens.length > 0) return `too many hyphens: ${text}`;
  const start = numberOf(from, field);
  const end = to === undefined ? start : numberOf(to, field);
  if (typeof start === 'string') return start;
  if (typeof end === 'string') return end;
  if (start < field.low) return `beginning of range (${start}) below minimum (${field.low}): ${text}`;
  if (end > field.high) return `end of range (${end}) above maximum (${field.high}): ${text}`;
  return start > end ? `beginning of range (${start}) beyond end of range (${end}): ${text}` : undefined;
}

/** The number meant, or what is wrong with the text. */
function numberOf(text: string, { low, names }: Field): number | string {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + low;
  if (!/^\d+$/.test(text)) {
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
  }
  return Number(text);
}
