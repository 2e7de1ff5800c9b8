import { type Compiled, Environment } from '../environment.ts';
import { AUTHORIZER, RESOURCE_CHECK } from '../library/authorizer.ts';
import { type CelType, DYN, type StructType } from '../types.ts';
import { constructPatch, patchDeclarations, patchStruct } from './patch-types.ts';
import { namespaceType, requestType } from './request-types.ts';

export interface AdmissionEnvironmentOptions {
  /** The policy has a `paramKind`. */
  readonly hasParams?: boolean;
  readonly hasAuthorizer?: boolean;
  /** `Object{…}` and `JSONPatch{…}`. */
  readonly hasPatchTypes?: boolean;
  /** Types of the policy's own variables; more may come while they are compiled. Absent: there is no `variables`. */
  readonly variables?: ReadonlyMap<string, CelType>;
  /** Types of `object`, `oldObject` and `params` where they are known, for checks of types. */
  readonly object?: CelType;
  readonly params?: CelType;
}

/** Compiles the expressions of admission (upstream's plugin/cel compiler). */
export class AdmissionEnvironment {
  readonly #environment: Environment;

  constructor(options: AdmissionEnvironmentOptions) {
    const { hasParams, hasAuthorizer, hasPatchTypes, variables, object = DYN, params = DYN } = options;
    const own = variables && variablesType(variables);
    this.#environment = new Environment({
      variables: {
        object,
        oldObject: object,
        namespaceObject: namespaceType.type,
        request: requestType.type,
        ...(hasParams ? { params } : {}),
        ...(hasAuthorizer ? { authorizer: AUTHORIZER, 'authorizer.requestResource': RESOURCE_CHECK } : {}),
        ...(own ? { variables: own } : {}),
      },
      ...(hasPatchTypes
        ? { functions: patchDeclarations, struct: patchStruct, construct: constructPatch }
        : {}),
    });
  }

  compile(expression: string, result?: readonly CelType[]): Compiled {
    return this.#environment.compile(expression, result === undefined ? {} : { result });
  }
}

export const VARIABLES = 'kubernetes.variables';

function variablesType(variables: ReadonlyMap<string, CelType>): StructType {
  return { kind: 'struct', name: VARIABLES, field: (name) => variables.get(name) };
}
