import { writeAtomically } from './atomic-writer.ts';
import { configMapData, type Payload, selectKeys } from './payload.ts';
import type { VolumeContext, VolumeKind } from './volume.ts';

/** Keys of a ConfigMap as files, followed as it changes. */
export const configMap: VolumeKind = {
  live: true,
  async mount(context) {
    const source = context.volume.configMap ?? {};
    const payload = await configMapPayload(context, source, source.defaultMode ?? 0o644);
    await writeAtomically(context.stateDir, payload, String(context.nowMs));
    return { hostPath: context.stateDir, ownable: true, readOnly: true };
  },
};

export async function configMapPayload(
  context: VolumeContext,
  source: { name?: string; items?: { key: string; path: string; mode?: number }[]; optional?: boolean },
  defaultMode: number,
): Promise<Payload> {
  const { name = '', items, optional = false } = source;
  const found = await context.objects.configMap(context.pod.metadata.namespace ?? '', name);
  if (found === undefined) {
    if (optional) return new Map();
    throw new Error(`configmap "${name}" not found`);
  }
  return selectKeys(configMapData(found), items, defaultMode, optional);
}
