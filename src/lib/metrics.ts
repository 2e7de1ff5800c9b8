import { LIMITS } from './limits.ts';

/** Values of a series' labels, in the order of its family's label names. */
export type LabelValues = readonly string[];

/** What one scrape adds: a family with the series it has at that moment. */
export interface Sample {
  readonly labels?: LabelValues;
  readonly value: number;
}

interface FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/**
 * Metrics in Prometheus' text format, in upstream's names where the meaning is the same. Labels may come from clients,
 * so that every family holds at most `LIMITS.metrics.series` series and every value `labelChars` characters; what goes
 * beyond is not counted.
 */
export class MetricRegistry {
  readonly #families: { render(lines: string[]): void }[] = [];

  counter(options: FamilyOptions): Counter {
    return this.#add(new Counter(options));
  }

  /** `bucketsSeconds` ascending; `+Inf` is added. */
  histogram(options: FamilyOptions & { readonly bucketsSeconds: readonly number[] }): Histogram {
    return this.#add(new Histogram(options));
  }

  /** A family that is read when somebody asks. */
  collect(
    options: FamilyOptions & {
      readonly type: 'gauge' | 'counter';
      readonly read: () => Iterable<Sample> | number;
    },
  ): void {
    const { name, help, type, labels = [], read } = options;
    this.#add({
      render(lines) {
        head(lines, name, type, help);
        const found = read();
        if (typeof found === 'number') lines.push(`${name} ${found}`);
        else
          for (const one of found) lines.push(`${name}${labelText(labels, one.labels ?? [])} ${one.value}`);
      },
    });
  }

  render(): string {
    const lines: string[] = [];
    for (const family of this.#families) family.render(lines);
    lines.push('');
    return lines.join('\n');
  }

  #add<T extends { render(lines: string[]): void }>(family: T): T {
    this.#families.push(family);
    return family;
  }
}

/** A series to add to. Kept by whoever adds often, so that its labels are joined once. */
export interface CounterSeries {
  value: number;
}

/** Series by their labels, which are only joined and bounded here. */
class SeriesMap<T> {
  /** By the label text that is shown. */
  readonly #series = new Map<string, T>();
  /** The same by their bare values: a request that is like others before costs no text. */
  readonly #known = new Map<string, T>();
  /** The one asked for last: most requests are like the one before. */
  #last: { readonly values: LabelValues; readonly series: T } | undefined;
  readonly #names: readonly string[];
  readonly #make: () => T;

  constructor(names: readonly string[], make: () => T) {
    this.#names = names;
    this.#make = make;
  }
  /** What lies beyond the bound counts into a series that nobody sees. */
  of(values: LabelValues): T {
    const last = this.#last;
    if (last !== undefined && isSame(last.values, values)) return last.series;
    const key = values.join('\n');
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.#last = { values, series: known };
      return known;
    }
    const text = labelText(this.#names, values);
    const found = this.#series.get(text) ?? this.#make();
    if (this.#series.size < LIMITS.metrics.series) this.#series.set(text, found);
    if (this.#series.has(text) && this.#isPlain(values)) this.#known.set(key, found);
    return found;
  }

  /** Long values are cut and those with line ends could be taken for others: they are told apart by their text. */
  #isPlain(values: LabelValues): boolean {
    return (
      values.length === this.#names.length &&
      this.#known.size < LIMITS.metrics.series &&
      values.every((value) => value.length <= LIMITS.metrics.labelChars && !value.includes('\n'))
    );
  }
  entries(): Iterable<[string, T]> {
    return this.#series;
  }
}

function isSame(one: LabelValues, other: LabelValues): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

export class Counter {
  readonly #options: FamilyOptions;
  readonly #series: SeriesMap<CounterSeries>;

  constructor(options: FamilyOptions) {
    this.#options = options;
    this.#series = new SeriesMap(options.labels ?? [], () => ({ value: 0 }));
  }
  of(...values: LabelValues): CounterSeries {
    return this.#series.of(values);
  }
  add(values: LabelValues, by = 1): void {
    this.#series.of(values).value += by;
  }
  render(lines: string[]): void {
    const { name, help } = this.#options;
    head(lines, name, 'counter', help);
    for (const [labels, { value }] of this.#series.entries()) lines.push(`${name}${labels} ${value}`);
  }
}

/** One distribution: how many observations fell into each bucket, and their sum. */
export class HistogramSeries {
  readonly #bounds: readonly number[];
  readonly counts: Uint32Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Uint32Array(bounds.length + 1);
  }
  observe(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > this.#bounds[at]!) at++;
    this.counts[at]!++;
    this.sum += value;
  }
}

export class Histogram {
  readonly #options: FamilyOptions & { readonly bucketsSeconds: readonly number[] };
  readonly #series: SeriesMap<HistogramSeries>;

  constructor(options: FamilyOptions & { readonly bucketsSeconds: readonly number[] }) {
    this.#options = options;
    this.#series = new SeriesMap(options.labels ?? [], () => new HistogramSeries(options.bucketsSeconds));
  }
  of(...values: LabelValues): HistogramSeries {
    return this.#series.of(values);
  }
  render(lines: string[]): void {
    const { name, help, bucketsSeconds } = this.#options;
    head(lines, name, 'histogram', help);
    for (const [labels, { counts, sum }] of this.#series.entries()) {
      const inside = labels === '' ? '' : `${labels.slice(1, -1)},`;
      let total = 0;
      bucketsSeconds.forEach((bound, index) => {
        total += counts[index]!;
        lines.push(`${name}_bucket{${inside}le="${bound}"} ${total}`);
      });
      total += counts[bucketsSeconds.length]!;
      lines.push(`${name}_bucket{${inside}le="+Inf"} ${total}`);
      lines.push(`${name}_sum${labels} ${sum}`, `${name}_count${labels} ${total}`);
    }
  }
}

function head(lines: string[], name: string, type: string, help: string): void {
  lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
}

function labelText(names: readonly string[], values: LabelValues): string {
  if (names.length === 0) return '';
  let text = '{';
  for (let at = 0; at < names.length; at++)
    text += `${at === 0 ? '' : ','}${names[at]}="${escaped(values[at] ?? '')}"`;
  return `${text}}`;
}

function escaped(value: string): string {
  const short = value.length > LIMITS.metrics.labelChars ? value.slice(0, LIMITS.metrics.labelChars) : value;
  return /[\\"\n]/.test(short)
    ? short.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    : short;
}
