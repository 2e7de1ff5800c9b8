import { ageOf } from '../../api/durations.ts';
import { JsonPathError, parseJsonPath } from '../../api/json-path.ts';
import { goFloat } from '../../api/structural/go-number.ts';
import type { CustomResourceColumnDefinition } from '../../api/types.gen.ts';
import type { Column } from '../registry/definition.ts';
import { nameColumn } from '../resources/columns.ts';

type Cell = string | number | boolean | null;

/** The columns of a definition. What comes after one that cannot be understood is left out, as upstream. */
export function customColumns(definitions: readonly CustomResourceColumnDefinition[]): readonly Column[] {
  const columns: Column[] = [nameColumn];
  for (const definition of definitions) {
    const column = customColumn(definition);
    if (!column) break;
    columns.push(column);
  }
  return columns;
}

function customColumn(definition: CustomResourceColumnDefinition): Column | undefined {
  const { name, type, format, description, jsonPath, priority } = definition;
  try {
    const path = parseJsonPath(jsonPath);
    return {
      name,
      type: type as Column['type'],
      ...(format ? { format } : {}),
      description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
      priority: (priority ?? 0) as 0 | 1,
      cell: (object, nowMs) => cellOf(type, path.find(object), nowMs),
    };
  } catch (error) {
    if (error instanceof JsonPathError) return undefined;
    throw error;
  }
}

function cellOf(type: string, found: readonly unknown[], nowMs: number): Cell {
  const [value] = found;
  if (found.length === 0 || value === undefined) return null;
  if (type === 'string') return textOf(value);
  if (value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' ? dateOf(value, nowMs) : null;
    default:
      return null;
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return goFloat(value);
  if (value === null) return '<nil>';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function dateOf(text: string, nowMs: number): string {
  if (text === '') return '<unknown>';
  return Number.isNaN(Date.parse(text)) ? '<invalid>' : ageOf(text, nowMs);
}
