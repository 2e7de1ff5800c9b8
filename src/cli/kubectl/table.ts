/** A `meta.k8s.io/v1` Table as the server sends it. */
export interface ServerTable {
  readonly kind?: string;
  readonly columnDefinitions?: readonly { readonly name: string; readonly priority?: number }[];
  readonly rows?: readonly {
    readonly cells: readonly unknown[];
    readonly object?: {
      readonly metadata?: {
        readonly name?: string;
        readonly namespace?: string;
        readonly labels?: Record<string, string>;
      };
    };
  }[];
  readonly metadata?: { readonly resourceVersion?: string };
}

export interface PrintOptions {
  readonly wide: boolean;
  readonly withNamespace: boolean;
  readonly showLabels: boolean;
  readonly headers: boolean;
  /** Put before each name, such as `deployment.apps/`. */
  readonly prefix: string;
}

/** Rows and header as kubectl lays them out: columns padded to the widest cell, three spaces apart. */
export function printTable(table: ServerTable, options: PrintOptions): string {
  const columns = table.columnDefinitions ?? [];
  const shown = columns
    .map((column, index) => ({ ...column, index }))
    .filter(({ priority }) => options.wide || (priority ?? 0) === 0);
  const header = shown.map(({ name }) => name.toUpperCase());
  const lines = (table.rows ?? []).map(({ cells, object }) => {
    const line = shown.map(
      ({ index, name }) => `${name === 'Name' ? options.prefix : ''}${cell(cells[index])}`,
    );
    if (options.withNamespace) line.unshift(object?.metadata?.namespace ?? '');
    if (options.showLabels) line.push(labels(object?.metadata?.labels));
    return line;
  });
  if (options.withNamespace) header.unshift('NAMESPACE');
  if (options.showLabels) header.push('LABELS');
  return columnsOf(options.headers ? [header, ...lines] : lines);
}

export function columnsOf(lines: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const line of lines) {
    for (const [column, text] of line.entries()) widths[column] = Math.max(widths[column] ?? 0, text.length);
  }
  return lines
    .map(
      (line) =>
        `${line.map((text, column) => (column === line.length - 1 ? text : text.padEnd((widths[column] ?? 0) + 3))).join('')}\n`,
    )
    .join('');
}

function cell(value: unknown): string {
  if (value === null || value === undefined || value === '') return value === '' ? '' : '<none>';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.split('\n')[0] ?? '';
}

function labels(map: Record<string, string> | undefined): string {
  const pairs = Object.entries(map ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? '<none>' : pairs.join(',');
}
