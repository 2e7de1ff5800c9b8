import type { ExpressionWarning, ValidatingAdmissionPolicySpec } from '../../types.gen.ts';
import { type CelType, DYN } from '../types.ts';
import { AdmissionEnvironment } from './admission-environment.ts';
import type { Kind } from './kind-types.ts';

export interface TypedKind extends Kind {
  readonly type: CelType;
}

/**
 * What is wrong with the expressions of a policy for the kinds it is for (upstream's TypeChecker). `params` is the
 * type of parameters, where it is known.
 */
export function typeWarnings(
  spec: ValidatingAdmissionPolicySpec,
  kinds: readonly TypedKind[],
  params?: CelType,
): ExpressionWarning[] {
  const checks = kinds.map((kind) => ({ kind, environment: environmentFor(spec, kind, params) }));
  const warn = (fieldRef: string, expression: string): ExpressionWarning[] => {
    const found = checks.flatMap(({ kind: { group, version, kind }, environment }) => {
      const { error } = environment.compile(expression);
      return error === undefined ? [] : [`${group}/${version}, Kind=${kind}: ${withoutPrefix(error)}\n`];
    });
    return found.length === 0 ? [] : [{ fieldRef, warning: found.join('\n') }];
  };
  return (spec.validations ?? []).flatMap(({ expression, messageExpression }, index) => {
    const path = `spec.validations[${index}]`;
    const ofMessage = messageExpression ? warn(`${path}.messageExpression`, messageExpression) : [];
    return [...warn(`${path}.expression`, expression), ...ofMessage];
  });
}

const withoutPrefix = (error: string): string => error.replace(/^compilation failed: /, '');

function environmentFor(
  { paramKind, variables = [] }: ValidatingAdmissionPolicySpec,
  { type }: TypedKind,
  params: CelType | undefined,
): AdmissionEnvironment {
  const types = new Map<string, CelType>();
  const environment = new AdmissionEnvironment({
    hasAuthorizer: true,
    hasParams: paramKind !== undefined,
    variables: types,
    object: type,
    ...(params ? { params } : {}),
  });
  for (const { name, expression } of variables)
    types.set(name, environment.compile(expression).program?.type ?? DYN);
  return environment;
}
