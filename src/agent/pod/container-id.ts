import { createHash } from 'node:crypto';
import type { Container, EphemeralContainer } from '../../api/types.gen.ts';

/**
 * The id of one run of one container: the same for the same pod, name and attempt, so that a start that is tried
 * twice by accident collides in the runtime instead of running twice.
 */
export function containerId(podUid: string, name: string, attempt: number): string {
  return createHash('sha256').update(`${podUid}/${name}/${attempt}`).digest('hex');
}

/** Changes when a running container must be replaced: upstream looks at the image alone since 1.31 (KEP-1287). */
export function containerHash(spec: Container | EphemeralContainer): string {
  return createHash('sha256')
    .update(JSON.stringify({ image: spec.image, name: spec.name }))
    .digest('hex')
    .slice(0, 8);
}
