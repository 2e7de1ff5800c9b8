import type { Checked } from '../cel/checker.ts';
import { estimateCost } from '../cel/cost/cost-estimate.ts';
import { forbiddenField, internalFieldError, invalidValue } from '../field-errors.ts';
import type { FieldError } from '../status.ts';
import type { ValidationRule } from '../types.gen.ts';
import { declaredSizes, maxElements, minBytes, REQUEST_BYTES } from './declared-sizes.ts';
import type { JsonSchema } from './json-schema.ts';
import { type CheckedRule, compileRules } from './rule-programs.ts';
import { compileRoot, type StructuralSchema } from './structural.ts';
import type { RuleCheck, RulePlace } from './validate-schema.ts';

/** Upstream's StaticEstimatedCostLimit and StaticEstimatedCRDCostLimit. */
const RULE_COST = 10_000_000;
const SCHEMA_COST = 100_000_000;
const SHOWN_RULES = 4;

/**
 * Whether the rules of one schema compile, and what they may cost (upstream's CELSchemaContext): those of one place when
 * `check` is called, all together once `total` is.
 */
export class RuleChecker {
  readonly #schema: JsonSchema;
  readonly #limitsEach: boolean;
  #root: StructuralSchema | undefined;
  #total = 0;
  #expensive: { readonly path: string; readonly cost: number }[] = [];

  /** Without `limitsEach` single rules may cost what they will: the definition was accepted before with such. */
  constructor(schema: JsonSchema, { limitsEach }: { readonly limitsEach: boolean }) {
    this.#schema = schema;
    this.#limitsEach = limitsEach;
  }

  readonly check: RuleCheck = (place) => {
    const path = `${place.path}.x-kubernetes-validations`;
    this.#root ??= compileRoot(this.#schema);
    const spot = spotOf(this.#root, place.steps);
    const compiled = spot && compileRules(place.rules, spot.schema);
    if (!spot || !compiled) {
      const why = 'failed to construct type information for x-kubernetes-validations rules';
      const detail = 'unable to convert structural schema to CEL declarations';
      return [internalFieldError(path, `internal error: ${why}: ${detail}`)];
    }
    return compiled.programs.flatMap((one, index) =>
      this.#problems(one, place, { spot, path: `${path}[${index}]` }),
    );
  };

  #problems(
    one: CheckedRule,
    place: RulePlace,
    { spot, path }: { readonly spot: Spot; readonly path: string },
  ): FieldError[] {
    const { rule } = one;
    const errors: FieldError[] = [];
    const sizes = declaredSizes(spot.schema);
    const costOf = (checked: Checked | undefined): number => (checked ? estimateCost(checked, sizes).max : 0);
    const own = costOf(one.checked);
    errors.push(...this.#count(`${path}.rule`, 'estimated rule cost', times(own, spot.most)));
    if (one.error !== undefined) errors.push(invalidValue(`${path}.rule`, shownRule(rule), one.error));
    if (one.messageError !== undefined)
      errors.push(invalidValue(`${path}.messageExpression`, shownRule(rule), one.messageError));
    else if (one.messageChecked) {
      const cost = costOf(one.messageChecked);
      errors.push(...this.#count(`${path}.messageExpression`, 'estimated messageExpression cost', cost));
    }
    if (one.usesOldSelf && place.uncorrelatable !== undefined) {
      const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`;
      errors.push(invalidValue(`${path}.rule`, rule.rule, why));
    }
    if (!one.usesOldSelf && rule.optionalOldSelf !== undefined) {
      const why = 'may not be set if oldSelf is not used in rule';
      errors.push(invalidValue(`${path}.optionalOldSelf`, rule.optionalOldSelf, why));
    }
    return errors;
  }

  #count(path: string, what: string, cost: number): FieldError[] {
    this.#total += cost;
    if (cost >= SCHEMA_COST / 100)
      this.#expensive = [...this.#expensive, { path, cost }]
        .sort((left, right) => right.cost - left.cost)
        .slice(0, SHOWN_RULES);
    return this.#limitsEach && cost > RULE_COST
      ? [forbiddenField(path, tooExpensive(what, cost, RULE_COST))]
      : [];
  }

  /** What is wrong with all rules together, `path` being that of the schema. */
  total(path: string): FieldError[] {
    if (this.#total <= SCHEMA_COST) return [];
    const why = 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema';
    const what = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
    return [
      ...this.#expensive.map((one) => forbiddenField(one.path, why)),
      forbiddenField(path, tooExpensive(what, this.#total, SCHEMA_COST)),
    ];
  }
}

/** As upstream prints it: its own form of a rule. */
function shownRule(rule: ValidationRule): object {
  return {
    Rule: rule.rule,
    Message: rule.message ?? '',
    MessageExpression: rule.messageExpression ?? '',
    Reason: rule.reason ?? null,
    FieldPath: rule.fieldPath ?? '',
    OptionalOldSelf: rule.optionalOldSelf ?? null,
  };
}

interface Spot {
  readonly schema: StructuralSchema;
  /** How many values there may be of it in one object. */
  readonly most: number;
}

function spotOf(root: StructuralSchema, steps: readonly string[]): Spot | undefined {
  let schema: StructuralSchema | undefined = root;
  let most: number | undefined = 1;
  for (const step of steps) {
    if (!schema) return undefined;
    const factor = bound(schema);
    most = most === undefined || factor === undefined ? undefined : times(most, factor);
    const named: StructuralSchema | undefined = schema.properties.get(step);
    schema =
      named ??
      (step === '*' ? (schema.items ?? (schema.additional as StructuralSchema | undefined)) : undefined);
  }
  if (!schema) return undefined;
  return { schema, most: most ?? Math.floor(REQUEST_BYTES / (minBytes(schema) + 1)) };
}

/** By how much a schema multiplies what is inside; `undefined` where it sets no bound. */
function bound(schema: StructuralSchema): number | undefined {
  const { type, checks = {}, additional } = schema;
  if (type === 'array') return checks.maxItems === undefined ? undefined : maxElements(schema);
  if (type !== 'object' || additional === undefined) return 1;
  return checks.maxProperties === undefined ? undefined : Math.max(checks.maxProperties, 0);
}

const times = (left: number, right: number): number => Math.min(left * right, 2 ** 64);

function tooExpensive(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shown = factor > 100 ? 'more than 100x' : `${factor < 1.5 ? factor.toFixed(6) : factor.toFixed(1)}x`;
  const how =
    'try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared';
  return `${what} exceeds budget by factor of ${shown} (${how})`;
}
