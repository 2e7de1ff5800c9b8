import {
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../../api/field-errors.ts';
import { validateLabelSelector, validateLabels } from '../../../api/labels.ts';
import { dns1123LabelProblems, labelKeyProblems, labelValueProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodSpec,
  Toleration,
  TopologySpreadConstraint,
} from '../../../api/types.gen.ts';
import { eachOf, problemsOf } from '../field-checks.ts';

/** Everything in a pod spec that says where it may run. */
export function validateScheduling(spec: PodSpec, path: string): FieldError[] {
  return [
    ...validateLabels(spec.nodeSelector, `${path}.nodeSelector`),
    ...validateAffinity(spec.affinity, `${path}.affinity`),
    ...eachOf(spec.tolerations, `${path}.tolerations`, validateToleration),
    ...validateSpread(spec.topologySpreadConstraints, `${path}.topologySpreadConstraints`),
    ...validateGates(spec, path),
  ];
}

function validateAffinity(affinity: Affinity | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity ?? {};
  const needed = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const nodePath = `${path}.nodeAffinity`;
  if (needed)
    errors.push(
      ...validateNodeSelector(needed, `${nodePath}.requiredDuringSchedulingIgnoredDuringExecution`),
    );
  errors.push(
    ...eachOf(
      nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution,
      `${nodePath}.preferredDuringSchedulingIgnoredDuringExecution`,
      ({ weight, preference }, at) => [
        ...validateWeight(weight, at),
        ...validateNodeTerm(preference, `${at}.preference`),
      ],
    ),
  );
  for (const [name, one] of [
    ['podAffinity', podAffinity],
    ['podAntiAffinity', podAntiAffinity],
  ] as const) {
    errors.push(
      ...eachOf(
        one?.requiredDuringSchedulingIgnoredDuringExecution,
        `${path}.${name}.requiredDuringSchedulingIgnoredDuringExecution`,
        validatePodTerm,
      ),
      ...eachOf(
        one?.preferredDuringSchedulingIgnoredDuringExecution,
        `${path}.${name}.preferredDuringSchedulingIgnoredDuringExecution`,
        ({ weight, podAffinityTerm }, at) => [
          ...validateWeight(weight, at),
          ...validatePodTerm(podAffinityTerm, `${at}.podAffinityTerm`),
        ],
      ),
    );
  }
  return errors;
}

const validateWeight = (weight: number, path: string): FieldError[] =>
  weight < 1 || weight > 100 ? [invalidValue(`${path}.weight`, weight, 'must be in the range 1-100')] : [];

export function validateNodeSelector(selector: NodeSelector, path: string): FieldError[] {
  if (!selector.nodeSelectorTerms?.length) {
    return [required(`${path}.nodeSelectorTerms`, 'must have at least one node selector term')];
  }
  return eachOf(selector.nodeSelectorTerms, `${path}.nodeSelectorTerms`, validateNodeTerm);
}

function validateNodeTerm(term: NodeSelectorTerm, path: string): FieldError[] {
  return [
    ...eachOf(term.matchExpressions, `${path}.matchExpressions`, validateNodeRequirement),
    ...eachOf(term.matchFields, `${path}.matchFields`, ({ key, operator, values = [] }, at) => {
      const errors: FieldError[] = [];
      if (operator !== 'In' && operator !== 'NotIn') {
        errors.push(invalidValue(`${at}.operator`, operator, 'not a valid selector operator'));
      } else if (values.length !== 1) {
        errors.push(
          required(
            `${at}.values`,
            "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
          ),
        );
      }
      if (key !== 'metadata.name')
        errors.push(invalidValue(`${at}.key`, key, 'not a valid field selector key'));
      return errors;
    }),
  ];
}

function validateNodeRequirement(
  { key, operator, values = [] }: NodeSelectorRequirement,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
    errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
    errors.push(
      forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
    );
  } else if ((operator === 'Gt' || operator === 'Lt') && values.length !== 1) {
    errors.push(required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
  }
  errors.push(...problemsOf(`${path}.key`, key, labelKeyProblems));
  values.forEach((value, at) => {
    errors.push(...problemsOf(`${path}.values[${at}]`, value, labelValueProblems));
  });
  return errors;
}

function validatePodTerm(term: PodAffinityTerm, path: string): FieldError[] {
  const errors = [
    ...validateLabelSelector(term.labelSelector, `${path}.labelSelector`),
    ...validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`),
    ...eachOf(term.namespaces, `${path}.namespaces`, (name) =>
      problemsOf(`${path}.namespace`, name, dns1123LabelProblems),
    ),
  ];
  const keys = (list: readonly string[] | undefined, field: string): void => {
    if (list?.length && !term.labelSelector) {
      errors.push(forbiddenField(field, 'must not be specified when labelSelector is not set'));
    }
  };
  keys(term.matchLabelKeys, `${path}.matchLabelKeys`);
  keys(term.mismatchLabelKeys, `${path}.mismatchLabelKeys`);
  if (!term.topologyKey) errors.push(required(`${path}.topologyKey`, 'can not be empty'));
  else errors.push(...problemsOf(`${path}.topologyKey`, term.topologyKey, labelKeyProblems));
  return errors;
}

const OPERATORS = ['Equal', 'Exists'];
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function validateToleration(toleration: Toleration, path: string): FieldError[] {
  const { key, operator, value, effect, tolerationSeconds } = toleration;
  const errors = key ? problemsOf(`${path}.key`, key, labelKeyProblems) : [];
  if (!key && operator !== 'Exists') {
    const why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    errors.push(invalidValue(`${path}.operator`, operator ?? '', why));
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    errors.push(
      invalidValue(
        `${path}.effect`,
        effect ?? '',
        "effect must be 'NoExecute' when `tolerationSeconds` is set",
      ),
    );
  }
  if (!operator || operator === 'Equal') {
    if (value) errors.push(...problemsOf(`${path}.operator`, value, labelValueProblems));
  } else if (operator === 'Exists') {
    if (value)
      errors.push(
        invalidValue(`${path}.operator`, toleration, "value must be empty when `operator` is 'Exists'"),
      );
  } else {
    errors.push(notSupported(`${path}.operator`, operator, OPERATORS));
  }
  if (effect && !EFFECTS.includes(effect)) errors.push(notSupported(`${path}.effect`, effect, EFFECTS));
  return errors;
}

function validateSpread(
  constraints: readonly TopologySpreadConstraint[] | undefined,
  path: string,
): FieldError[] {
  const pairs = new Set<string>();
  return eachOf(constraints, path, (constraint, at) => {
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains, labelSelector } = constraint;
    const errors: FieldError[] = [];
    if (maxSkew <= 0) errors.push(invalidValue(`${at}.maxSkew`, maxSkew, 'must be greater than zero'));
    if (!topologyKey) errors.push(required(`${at}.topologyKey`, 'can not be empty'));
    else errors.push(...problemsOf(`${at}.topologyKey`, topologyKey, labelKeyProblems));
    const pair = `{${topologyKey}, ${whenUnsatisfiable}}`;
    if (pairs.has(pair)) errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, pair));
    pairs.add(pair);
    if (minDomains !== undefined) {
      if (minDomains <= 0)
        errors.push(invalidValue(`${at}.minDomains`, minDomains, 'must be greater than zero'));
      if (whenUnsatisfiable !== 'DoNotSchedule') {
        const why = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`;
        errors.push(invalidValue(`${at}.minDomains`, minDomains, why));
      }
    }
    if (constraint.matchLabelKeys?.length && !labelSelector) {
      errors.push(
        forbiddenField(`${at}.matchLabelKeys`, 'must not be specified when labelSelector is not set'),
      );
    }
    return [...errors, ...validateLabelSelector(labelSelector, `${at}.labelSelector`)];
  });
}

function validateGates(spec: PodSpec, path: string): FieldError[] {
  const seen = new Set<string>();
  const errors = eachOf(spec.schedulingGates, `${path}.schedulingGates`, ({ name }, at) => {
    const found = problemsOf(`${at}.name`, name, labelKeyProblems);
    if (seen.has(name)) found.push(duplicate(`${at}.name`, name));
    seen.add(name);
    return found;
  });
  if (spec.nodeName && spec.schedulingGates?.length) {
    errors.push(
      forbiddenField(`${path}.nodeName`, 'cannot be set until all schedulingGates have been cleared'),
    );
  }
  return errors;
}
