import { writeAtomically } from './atomic-writer.ts';
import { type Payload, secretData, selectKeys } from './payload.ts';
import type { VolumeContext, VolumeKind } from './volume.ts';

/** Keys of a Secret as files in memory, followed as it changes. */
export const secret: VolumeKind = {
  live: true,
  async mount(context) {
    const source = context.volume.secret ?? {};
    const { secretName, items, optional, defaultMode = 0o644 } = source;
    const reference = {
      name: secretName ?? '',
      ...(items === undefined ? {} : { items }),
      ...(optional === undefined ? {} : { optional }),
    };
    const payload = await secretPayload(context, reference, defaultMode);
    await writeAtomically(context.stateDir, payload, String(context.nowMs));
    return { hostPath: context.stateDir, ownable: true, readOnly: true };
  },
};

export async function secretPayload(
  context: VolumeContext,
  source: { name?: string; items?: { key: string; path: string; mode?: number }[]; optional?: boolean },
  defaultMode: number,
): Promise<Payload> {
  const { name = '', items, optional = false } = source;
  const found = await context.objects.secret(context.pod.metadata.namespace ?? '', name);
  if (found === undefined) {
    if (optional) return new Map();
    throw new Error(`secret "${name}" not found`);
  }
  return selectKeys(secretData(found), items, defaultMode, optional);
}
