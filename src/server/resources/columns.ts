import { ageOf } from '../../api/durations.ts';
import { formatLabelSelector } from '../../api/labels.ts';
import type { KubeObject } from '../../api/resource.ts';
import type { Container, LabelSelector } from '../../api/types.gen.ts';
import type { Column } from '../registry/definition.ts';

/** Cells of `kubectl get`, as upstream's pkg/printers/internalversion prints them. */

type Read<T, R> = (object: T, nowMs: number) => R;

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name of the object, unique within its namespace.',
  cell: (object) => object.metadata.name ?? '',
};

export const ageColumn: Column = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
  cell: (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs),
};

/** What kinds without columns of their own show. */
export const createdAtColumn: Column = {
  name: 'Created At',
  type: 'date',
  description: 'When the object was created.',
  cell: (object) => object.metadata.creationTimestamp ?? null,
};

export function textColumn<T>(
  name: string,
  description: string,
  cell: Read<T, string | undefined>,
): Column<T> {
  return { name, type: 'string', description, cell: (object, nowMs) => cell(object, nowMs) ?? '' };
}

export function integerColumn<T>(
  name: string,
  description: string,
  cell: Read<T, number | undefined>,
): Column<T> {
  return { name, type: 'integer', description, cell: (object, nowMs) => cell(object, nowMs) ?? 0 };
}

/** The same column, shown with `-o wide` only. */
export const wide = <T>(column: Column<T>): Column<T> => ({ ...column, priority: 1 });

/** `a=b,c=d`, sorted by key; `<none>` for nothing. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const parts = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return parts.length === 0 ? '<none>' : parts.sort().join(',');
}

export const orNone = (text: string | undefined): string => (text ? text : '<none>');

/** The two wide columns that every workload shows. */
export function containerColumns<T extends KubeObject>(
  containers: (object: T) => readonly Container[] | undefined,
): [Column<T>, Column<T>] {
  const joined = (object: T, pick: (container: Container) => string | undefined): string =>
    (containers(object) ?? []).map((one) => pick(one) ?? '').join(',');
  return [
    wide(
      textColumn('Containers', 'Names of each container in the template.', (object: T) =>
        joined(object, ({ name }) => name),
      ),
    ),
    wide(
      textColumn('Images', 'Images referenced by each container in the template.', (object: T) =>
        joined(object, ({ image }) => image),
      ),
    ),
  ];
}

export function selectorColumn<T>(selector: (object: T) => LabelSelector | undefined): Column<T> {
  return wide(
    textColumn('Selector', 'Label query over the objects it selects.', (object: T) =>
      formatLabelSelector(selector(object)),
    ),
  );
}
