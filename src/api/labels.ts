/** Label selectors: parsing, matching and writing, as k8s.io/apimachinery/pkg/labels. */
import { forbiddenField, invalidValue, required } from './field-errors.ts';
import { labelKeyProblems, labelValueProblems } from './names.ts';
import type { FieldError } from './status.ts';
import type { LabelSelector } from './types.gen.ts';

export type Labels = Readonly<Record<string, string>>;
export type LabelOperator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

/** A selector that cannot be read; the message is upstream's and goes into a 400. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
}

/** A parsed selector; immutable. All requirements must hold. */
export class Selector {
  /** Sorted by key. */
  readonly requirements: readonly LabelRequirement[];
  /** True for the selector that matches no object at all, whatever its requirements. */
  readonly isNothing: boolean;

  constructor(requirements: readonly LabelRequirement[], isNothing = false) {
    this.requirements = requirements.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.isNothing = isNothing;
  }

  /** True when every object matches. */
  get isEverything(): boolean {
    return !this.isNothing && this.requirements.length === 0;
  }

  matches(labels: Labels | undefined): boolean {
    return !this.isNothing && this.requirements.every((requirement) => satisfies(requirement, labels));
  }

  /** The value this label must have, where the selector allows exactly one. */
  exactMatch(key: string): string | undefined {
    const found = this.requirements.find((requirement) => requirement.key === key);
    const isExact = found !== undefined && ['=', '==', 'in'].includes(found.operator);
    return isExact && found.values.length === 1 ? found.values[0] : undefined;
  }

  /** The selector's text, which parses back to the same selector. */
  toString(): string {
    return this.requirements.map(requirementText).join(',');
  }
}

export const EVERYTHING = new Selector([]);
export const NOTHING = new Selector([], true);

function satisfies({ key, operator, values }: LabelRequirement, labels: Labels | undefined): boolean {
  // Own properties only: `constructor` is a valid label key.
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case '=':
    case '==':
    case 'in':
      return value !== undefined && values.includes(value);
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
    case 'lt': {
      const bound = values[0];
      if (value === undefined || !isInteger(value) || bound === undefined) return false;
      return operator === 'gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
  }
}

const isInteger = (text: string): boolean => /^-?\d{1,19}$/.test(text);

function requirementText({ key, operator, values }: LabelRequirement): string {
  const list = values.length === 1 ? values[0] : values.toSorted().join(',');
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${list})`;
    case 'gt':
      return `${key}>${list}`;
    case 'lt':
      return `${key}<${list}`;
    default:
      return `${key}${operator}${list}`;
  }
}

/** Builds one checked requirement. Throws {@link SelectorError} with upstream's words. */
export function labelRequirement(
  key: string,
  operator: LabelOperator,
  values: readonly string[],
): LabelRequirement {
  const errors: FieldError[] = [];
  const keyProblems = labelKeyProblems(key);
  if (keyProblems.length > 0) errors.push(invalidValue('key', key, keyProblems.join('; ')));
  const complain = (why: string): unknown => errors.push(invalidValue('values', values, why));
  if ((operator === 'in' || operator === 'notin') && values.length === 0) {
    complain("for 'in', 'notin' operators, values set can't be empty");
  }
  if (['=', '==', '!='].includes(operator) && values.length !== 1) {
    complain('exact-match compatibility requires one single value');
  }
  if ((operator === 'exists' || operator === '!') && values.length !== 0) {
    complain('values set must be empty for exists and does not exist');
  }
  if (operator === 'gt' || operator === 'lt') {
    if (values.length !== 1) complain("for 'Gt', 'Lt' operators, exactly one value is required");
    values.forEach((value, index) => {
      if (isInteger(value)) return;
      const why = "for 'Gt', 'Lt' operators, the value must be an integer";
      errors.push(invalidValue(`values[${index}]`, value, why));
    });
  }
  values.forEach((value, index) => {
    const problems = labelValueProblems(value);
    if (problems.length > 0) {
      errors.push(invalidValue(`values[${index}][${key}]`, value, problems.join('; ')));
    }
  });
  if (errors.length > 0) {
    const texts = errors.map(({ field, message }) => `${field}: ${message}`);
    throw new SelectorError(texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`);
  }
  return { key, operator, values };
}

/** Matches exactly these labels, unchecked, as ReplicationControllers and Services select. Empty: everything. */
export function selectorFromLabels(labels: Labels | undefined): Selector {
  return new Selector(
    Object.entries(labels ?? {}).map(([key, value]) => ({ key, operator: '=', values: [value] })),
  );
}

const OBJECT_OPERATORS: Readonly<Record<string, LabelOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/** A `LabelSelector` object as a matcher: absent matches nothing, empty everything. Throws {@link SelectorError}. */
export function selectorFromObject(selector: LabelSelector | undefined): Selector {
  if (selector === undefined) return NOTHING;
  const exact = Object.entries(selector.matchLabels ?? {}).map(([key, value]) =>
    labelRequirement(key, '=', [value]),
  );
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values }) => {
    const known = Object.hasOwn(OBJECT_OPERATORS, operator) ? OBJECT_OPERATORS[operator] : undefined;
    if (known === undefined) {
      throw new SelectorError(`${JSON.stringify(operator)} is not a valid label selector operator`);
    }
    return labelRequirement(key, known, values ?? []);
  });
  return new Selector([...exact, ...expressions]);
}

/** As tables and `describe` show a selector: `<none>` for one that selects all, `<error>` for a broken one. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  try {
    return selectorFromObject(selector).toString() || '<none>';
  } catch (error) {
    if (error instanceof SelectorError) return '<error>';
    throw error;
  }
}

/** What is wrong with a `LabelSelector` object, as upstream's ValidateLabelSelector. */
export function validateLabelSelector(selector: LabelSelector | undefined, field: string): FieldError[] {
  if (selector === undefined) return [];
  const errors = validateLabels(selector.matchLabels, `${field}.matchLabels`);
  (selector.matchExpressions ?? []).forEach(({ key, operator, values = [] }, index) => {
    const path = `${field}.matchExpressions[${index}]`;
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) {
        errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      }
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0) {
        const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
        errors.push(forbiddenField(`${path}.values`, why));
      }
    } else {
      errors.push(invalidValue(`${path}.operator`, operator, 'not a valid selector operator'));
    }
    for (const problem of labelKeyProblems(key)) errors.push(invalidValue(`${path}.key`, key, problem));
    values.forEach((value, at) => {
      for (const problem of labelValueProblems(value)) {
        errors.push(invalidValue(`${path}.values[${at}]`, value, problem));
      }
    });
  });
  return errors;
}

/** What is wrong with a map of labels, such as `metadata.labels` or `spec.nodeSelector`. */
export function validateLabels(labels: Labels | undefined, field: string): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...labelKeyProblems(key).map((problem) => invalidValue(field, key, problem)),
    ...labelValueProblems(value).map((problem) => invalidValue(field, value, problem)),
  ]);
}
