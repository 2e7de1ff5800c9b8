import type { Pod } from '../../../api/types.gen.ts';
import { podSpecWarnings } from '../pod-template/warnings.ts';

export function podWarnings(pod: Pod, old: Pod | undefined): string[] {
  // As upstream: only a new pod, or a changed spec, is worth repeating warnings for.
  if (pod.spec === undefined || old !== undefined) return [];
  return podSpecWarnings(pod.spec, pod.metadata, 'spec');
}
