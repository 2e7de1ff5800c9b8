/** Numbers that may be percentages: `maxSurge: 25%`, as k8s.io/apimachinery/pkg/util/intstr. */
import type { IntOrString } from './types.gen.ts';

/**
 * The number meant: itself, or its percentage of `total`, rounded as told. Throws with upstream's sentence when
 * the text is neither.
 */
export function scaledValue(value: IntOrString, total: number, rounding: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  if (!value.endsWith('%')) {
    throw new Error('invalid value for IntOrString: invalid type: string is not a percentage');
  }
  const number = value.slice(0, -1);
  if (!/^[-+]?\d{1,15}$/.test(number)) {
    throw new Error(
      `invalid value for IntOrString: invalid value ${JSON.stringify(value)}: strconv.Atoi: parsing ${JSON.stringify(number)}: invalid syntax`,
    );
  }
  const scaled = (Number(number) * total) / 100;
  return rounding === 'up' ? Math.ceil(scaled) : Math.floor(scaled);
}
