import type { Plugin } from '../plugin.ts';

/** Pods that wait for somebody to lift a gate (KEP-3521). */
export const schedulingGates: Plugin = {
  name: 'SchedulingGates',
  wakesOn: [],
  gate: ({ pod }) =>
    pod.spec?.schedulingGates?.length
      ? `waiting for scheduling gates: [${pod.spec.schedulingGates.map((gate) => gate.name).join(' ')}]`
      : undefined,
};
