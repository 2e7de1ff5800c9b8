/** One crontab line: five fields, `@daily` and its kin, or `@every 90m`. */
export interface Schedule {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  /** With both days restricted either may match; with one, only that one counts. */
  readonly anyDay: boolean;
  readonly anyWeekday: boolean;
}

const NAMED: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MINUTE_MS = 60_000;
/** February 29th comes back within eight years. */
const HORIZON_DAYS = 366 * 8 + 2;

/** Reads a schedule; throws a plain sentence about what is wrong with it. */
export function parseSchedule(text: string): Schedule {
  const fields = (NAMED[text.trim()] ?? text).trim().split(/\s+/);
  if (fields.length !== 5) throw new Error(`expected exactly 5 fields, found ${fields.length}: [${text}]`);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  const weekdays = parseField(weekday, 0, 7, WEEKDAYS);
  if (weekdays.delete(7)) weekdays.add(0);
  return {
    minutes: parseField(minute, 0, 59),
    hours: parseField(hour, 0, 23),
    days: parseField(day, 1, 31),
    months: parseField(month, 1, 12, MONTHS, 1),
    weekdays,
    anyDay: /^[*?]/.test(day),
    anyWeekday: /^[*?]/.test(weekday),
  };
}

function parseField(text: string, low: number, high: number, names: string[] = [], first = 0): Set<number> {
  const values = new Set<number>();
  const number = (word: string): number => {
    const named = names.indexOf(word.toLowerCase());
    const value = named >= 0 ? named + first : /^\d+$/.test(word) ? Number(word) : Number.NaN;
    if (!(value >= low && value <= high)) throw new Error(`"${word}" is not between ${low} and ${high}`);
    return value;
  };
  for (const part of text.split(',')) {
    const [range = '', stepText] = part.split('/');
    const step = stepText === undefined ? 1 : Number(stepText);
    if (!Number.isInteger(step) || step < 1) throw new Error(`"${part}" has no valid step`);
    const [from = '', to] = range.split('-');
    const any = range === '*' || range === '?';
    const begin = any ? low : number(from);
    const end = any || (to === undefined && stepText !== undefined) ? high : number(to ?? from);
    if (begin > end) throw new Error(`"${part}" ends before it begins`);
    for (let value = begin; value <= end; value += step) values.add(value);
  }
  return values;
}

interface Local {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
}

/** Wall-clock time in one zone; throws `RangeError` for a zone that does not exist. */
export function localTime(timeZone: string): (epochMs: number) => Local {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' },
  });
  return (epochMs) => {
    const parts = Object.fromEntries(
      format.formatToParts(epochMs).map(({ type, value }) => [type, Number(value)]),
    );
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0 } = parts;
    return { year, month, day, hour, minute };
  };
}

/** The first time after `afterMs` that matches, in epoch ms; undefined when there is none (February 30th). */
export function nextTime(schedule: Schedule, afterMs: number, timeZone: string): number | undefined {
  const local = localTime(timeZone);
  let atMs = (Math.floor(afterMs / MINUTE_MS) + 1) * MINUTE_MS;
  const endMs = atMs + HORIZON_DAYS * 86_400_000;
  while (atMs < endMs) {
    const { year, month, day, hour, minute } = local(atMs);
    if (!dayMatches(schedule, year, month, day)) {
      // To the next local midnight; where clocks change that lands an hour off, and the loop goes on from there.
      atMs += ((23 - hour) * 60 + (60 - minute)) * MINUTE_MS;
      const after = local(atMs);
      if (after.hour > 0 && after.hour < 12 && after.day !== day) atMs -= after.hour * 60 * MINUTE_MS;
    } else if (!schedule.hours.has(hour)) atMs += (60 - minute) * MINUTE_MS;
    else if (!schedule.minutes.has(minute)) atMs += MINUTE_MS;
    else return atMs;
  }
  return undefined;
}

function dayMatches(schedule: Schedule, year: number, month: number, day: number): boolean {
  if (!schedule.months.has(month)) return false;
  const isDay = schedule.days.has(day);
  const isWeekday = schedule.weekdays.has(new Date(Date.UTC(year, month - 1, day)).getUTCDay());
  return schedule.anyDay || schedule.anyWeekday ? isDay && isWeekday : isDay || isWeekday;
}
