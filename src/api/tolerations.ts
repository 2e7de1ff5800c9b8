/** Taints of nodes and what pods bear, as k8s.io/component-helpers/scheduling/corev1. */
import type { Taint, Toleration } from './types.gen.ts';

/** Whether any of them covers the taint. */
export function isTolerated(taint: Taint, tolerations: readonly Toleration[]): boolean {
  return tolerations.some((toleration) => tolerates(toleration, taint));
}

/** Whether one toleration covers one taint (core/v1 Toleration). */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key, effect, value = '', operator = 'Equal' } = toleration;
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  if (operator === 'Equal' || operator === '') return value === (taint.value ?? '');
  return false;
}
