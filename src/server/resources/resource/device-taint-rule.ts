import { notSupported, required } from '../../../api/field-errors.ts';
import { labelKeyProblems, labelValueProblems } from '../../../api/names.ts';
import { apiVersionOf } from '../../../api/resource.ts';
import { deviceTaintRules, deviceTaintRulesV1beta2 } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { DeviceTaintRule } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn } from '../columns.ts';
import { problemsOf } from '../field-checks.ts';

const EFFECTS = ['NoExecute', 'NoSchedule', 'None'];

function validateTaint({ spec }: DeviceTaintRule): FieldError[] {
  const { key = '', value = '', effect = '' } = spec?.taint ?? {};
  const path = 'spec.taint';
  return [
    ...(key === '' ? [required(`${path}.key`)] : problemsOf(`${path}.key`, key, labelKeyProblems)),
    ...problemsOf(`${path}.value`, value, labelValueProblems),
    ...(effect === '' ? [required(`${path}.effect`)] : []),
    ...(effect !== '' && !EFFECTS.includes(effect) ? [notSupported(`${path}.effect`, effect, EFFECTS)] : []),
  ];
}

/** Taints devices from outside their driver (KEP-5055); stored for those who act on it. */
export const deviceTaintRule: ResourceDefinition<DeviceTaintRule> = {
  resource: deviceTaintRules,
  singular: 'devicetaintrule',
  otherVersions: [
    {
      resource: deviceTaintRulesV1beta2,
      toStorage: (object) => object as DeviceTaintRule,
      fromStorage: (object) => ({ ...object, apiVersion: apiVersionOf(deviceTaintRulesV1beta2) }),
    },
  ],
  columns: [
    nameColumn,
    textColumn('Effect', 'What the taint does.', ({ spec }: DeviceTaintRule) => spec?.taint?.effect),
    ageColumn,
  ],
  strategy: {
    hasGeneration: true,
    prepareCreate: ({ spec }, { now }) => {
      if (spec?.taint) spec.taint.timeAdded ??= now();
    },
    // Another effect is another taint: whoever tolerates for a time counts anew.
    prepareUpdate: ({ spec }, old, { now }) => {
      const before = old.spec?.taint;
      if (!spec?.taint) return;
      const isSame = spec.taint.effect === before?.effect;
      if (spec.taint.timeAdded === undefined || (!isSame && spec.taint.timeAdded === before?.timeAdded))
        spec.taint.timeAdded = isSame && before?.timeAdded ? before.timeAdded : now();
    },
    validate: validateTaint,
  },
  subresources: [{ name: 'status', keeps: 'metadata' }],
};
