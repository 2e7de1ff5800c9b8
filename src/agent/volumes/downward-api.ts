import type { DownwardAPIVolumeFile } from '../../api/types.gen.ts';
import { fieldValue, resourceValue } from '../env/fields.ts';
import { writeAtomically } from './atomic-writer.ts';
import { type Payload, safePath } from './payload.ts';
import type { VolumeContext, VolumeKind } from './volume.ts';

/** Fields of the pod as files, followed as labels and annotations change. */
export const downwardAPI: VolumeKind = {
  live: true,
  async mount(context) {
    const { items, defaultMode = 0o644 } = context.volume.downwardAPI ?? {};
    await writeAtomically(
      context.stateDir,
      downwardPayload(context, items ?? [], defaultMode),
      String(context.nowMs),
    );
    return { hostPath: context.stateDir, ownable: true, readOnly: true };
  },
};

export function downwardPayload(
  context: VolumeContext,
  items: readonly DownwardAPIVolumeFile[],
  defaultMode: number,
): Payload {
  const payload: Payload = new Map();
  for (const { path, fieldRef, resourceFieldRef, mode } of items) {
    const text =
      fieldRef !== undefined
        ? fieldValue(context.pod, fieldRef.fieldPath, context.downward)
        : resourceFieldRef !== undefined
          ? resourceText(context, resourceFieldRef)
          : undefined;
    if (text === undefined) throw new Error(`unsupported field of downward API file ${JSON.stringify(path)}`);
    payload.set(safePath(path), { data: Buffer.from(text, 'utf8'), mode: mode ?? defaultMode });
  }
  return payload;
}

type ResourceRef = NonNullable<DownwardAPIVolumeFile['resourceFieldRef']>;

function resourceText(context: VolumeContext, selector: ResourceRef): string | undefined {
  const { spec } = context.pod;
  const all = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const container = all.find(({ name }) => name === selector.containerName);
  return container === undefined ? undefined : resourceValue(selector, container, context.downward);
}
