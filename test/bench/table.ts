/** One line of the table. Without a budget it is shown for orientation only. */
export interface Row {
  readonly what: string;
  readonly budget?: number;
  readonly unit: string;
  /** A text says why there is no number. */
  readonly measured: number | string;
  /** True where more is better. */
  readonly atLeast?: boolean;
}

/** Markdown: what, budget, measured, ratio; a ratio above 1 misses the budget. */
export function renderTable(rows: readonly Row[]): string {
  const head = ['| what | budget | measured | ratio (above 1: missed) |', '|---|---|---|---|'];
  return [...head, ...rows.map(renderRow)].join('\n');
}

function renderRow({ what, budget, unit, measured, atLeast = false }: Row): string {
  const wanted = budget === undefined ? '' : `${atLeast ? '≥ ' : ''}${budget} ${unit}`;
  if (typeof measured === 'string') return `| ${what} | ${wanted} | ${measured} | |`;
  const digits = measured >= 100 ? 0 : measured >= 10 ? 1 : 2;
  const ratio = budget ? (atLeast ? budget / measured : measured / budget).toFixed(2) : '';
  return `| ${what} | ${wanted} | ${measured.toFixed(digits)} ${unit} | ${ratio} |`;
}

/** The value in the middle of `values`, which must not be empty. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
