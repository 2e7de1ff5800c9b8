import { equalJson } from '../../api/json-value.ts';
import { runtimeClasses } from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { Pod, RuntimeClass } from '../../api/types.gen.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './port.ts';
import { createsPod, refuse } from './refuse.ts';

/** A pod's runtime brings its overhead, and the nodes that have it (KEP-688, KEP-585). */
export function runtimeClass(): AdmissionPlugin {
  return {
    name: 'RuntimeClass',
    concerns: createsPod,
    async mutate(attributes) {
      const { spec } = attributes.object as Pod;
      if (!spec?.runtimeClassName) return;
      const found = await find(attributes, spec.runtimeClassName);
      const overhead = found.overhead?.podFixed;
      if (overhead) {
        if (spec.overhead && !equalJson(spec.overhead, overhead)) {
          throw refuse(
            attributes,
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
          );
        }
        spec.overhead = { ...overhead };
      }
      for (const [key, value] of Object.entries(found.scheduling?.nodeSelector ?? {})) {
        if (spec.nodeSelector?.[key] !== undefined && spec.nodeSelector[key] !== value) {
          throw refuse(
            attributes,
            `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${spec.nodeSelector[key]}`,
          );
        }
        spec.nodeSelector = { ...spec.nodeSelector, [key]: value };
      }
      for (const toleration of found.scheduling?.tolerations ?? []) {
        if (spec.tolerations?.some((one) => equalJson(one, toleration))) continue;
        spec.tolerations = [...(spec.tolerations ?? []), { ...toleration }];
      }
    },
    validate(attributes) {
      const { spec } = attributes.object as Pod;
      if (!spec?.runtimeClassName && Object.keys(spec?.overhead ?? {}).length > 0) {
        throw refuse(
          attributes,
          'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
        );
      }
    },
  };
}

async function find(attributes: AdmissionAttributes, name: string): Promise<RuntimeClass> {
  try {
    return await attributes.client.get(runtimeClasses, { name });
  } catch (error) {
    if (isNotFound(error))
      throw refuse(attributes, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
    throw error;
  }
}
