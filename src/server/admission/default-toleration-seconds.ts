import type { Pod, Toleration } from '../../api/types.gen.ts';
import type { AdmissionPlugin } from './port.ts';

const SECONDS = 300;
const KEYS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const;

const covers = (toleration: Toleration, key: string): boolean =>
  (!toleration.key || toleration.key === key) && (!toleration.effect || toleration.effect === 'NoExecute');

/** Pods stay for five minutes on a node that is not ready or out of reach, unless they say otherwise. */
export function defaultTolerationSeconds(): AdmissionPlugin {
  return {
    name: 'DefaultTolerationSeconds',
    concerns: ({ operation, resource, subresource }) =>
      subresource === '' &&
      (operation === 'CREATE' || operation === 'UPDATE') &&
      resource.group === '' &&
      resource.resource === 'pods',
    mutate({ object }) {
      const { spec } = object as Pod;
      if (spec === undefined) return;
      const present = spec.tolerations ?? [];
      const missing = KEYS.filter((key) => !present.some((one) => covers(one, key)));
      if (missing.length === 0) return;
      const added = missing.map((key) => ({
        key,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: SECONDS,
      }));
      spec.tolerations = [...present, ...added];
    },
  };
}
