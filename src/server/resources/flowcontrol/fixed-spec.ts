import { equalJson } from '../../../api/json-value.ts';

/** Whether a spec says something else than the one it must have; what is zero or false may be left out. */
export function differsFromFixed(spec: unknown, fixed: unknown): boolean {
  return !equalJson(withoutZeros(spec), withoutZeros(fixed));
}

function withoutZeros(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutZeros);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, one]) => one !== undefined && one !== 0 && one !== false);
  return Object.fromEntries(kept.map(([key, one]) => [key, withoutZeros(one)]));
}
