import { dns1123LabelProblems, dns1123SubdomainProblems } from '../../names.ts';
import type { Declaration } from '../declaration.ts';
import { type CelType, opaque } from '../types.ts';
import { CelError, OpaqueValue } from '../values.ts';

/** What an expression asks the authorizer. */
export interface AccessQuestion {
  readonly verb: string;
  /** Set: asked about a path that is no resource. */
  readonly path?: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  /** On behalf of this account instead of the user who makes the request. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
}

export interface AccessAnswer {
  readonly allowed: boolean;
  readonly reason: string;
  readonly error?: string;
}

export type Authorize = (question: AccessQuestion) => AccessAnswer;

export const AUTHORIZER = opaque('kubernetes.authorization.Authorizer');
const PATH_CHECK = opaque('kubernetes.authorization.PathCheck');
const GROUP_CHECK = opaque('kubernetes.authorization.GroupCheck');
export const RESOURCE_CHECK = opaque('kubernetes.authorization.ResourceCheck');
const DECISION = opaque('kubernetes.authorization.Decision');

/** A question in the making. */
class Check extends OpaqueValue {
  readonly type: CelType;
  readonly authorize: Authorize;
  readonly question: Omit<AccessQuestion, 'verb'>;
  constructor(type: CelType, authorize: Authorize, question: Omit<AccessQuestion, 'verb'>) {
    super();
    this.type = type;
    this.authorize = authorize;
    this.question = question;
  }
  with(type: CelType, more: Partial<AccessQuestion>): Check {
    return new Check(type, this.authorize, { ...this.question, ...more });
  }
  override equals(other: OpaqueValue): boolean {
    return this === other;
  }
}

class Decision extends OpaqueValue {
  readonly type = DECISION;
  readonly answer: AccessAnswer;
  constructor(answer: AccessAnswer) {
    super();
    this.answer = answer;
  }
  override equals(other: OpaqueValue): boolean {
    return this === other;
  }
}

/** The variable `authorizer`. */
export const authorizerValue = (authorize: Authorize): OpaqueValue => new Check(AUTHORIZER, authorize, {});

/** The variable `authorizer.requestResource`. */
export function resourceCheckValue(
  authorize: Authorize,
  resource: Pick<AccessQuestion, 'group' | 'resource' | 'subresource' | 'namespace' | 'name'>,
): OpaqueValue {
  return new Check(RESOURCE_CHECK, authorize, resource);
}

function path(check: Check, text: string): Check {
  if (text.trim() === '') throw new CelError('path must not be empty');
  return check.with(PATH_CHECK, { path: text });
}

function resource(check: Check, text: string): Check {
  if (text.trim() === '') throw new CelError('resource must not be empty');
  return check.with(RESOURCE_CHECK, { resource: text });
}

function serviceAccount(check: Check, namespace: string, name: string): Check {
  if (dns1123SubdomainProblems(name).length > 0) throw new CelError('Invalid service account name');
  if (dns1123LabelProblems(namespace).length > 0) throw new CelError('Invalid service account namespace');
  return check.with(AUTHORIZER, { serviceAccount: { namespace, name } });
}

const decide = (check: Check, verb: string): Decision =>
  new Decision(check.authorize({ ...check.question, verb }));

const part = (name: string): Declaration => [
  `(${RESOURCE_CHECK.name}).${name}(string): ${RESOURCE_CHECK.name}`,
  (check: Check, text: string) => check.with(RESOURCE_CHECK, { [name]: text }),
];

/** Kubernetes' authorizer library. */
export const authorizerDeclarations = (): readonly Declaration[] => [
  [`(${AUTHORIZER.name}).path(string): ${PATH_CHECK.name}`, path],
  [
    `(${AUTHORIZER.name}).group(string): ${GROUP_CHECK.name}`,
    (check: Check, group: string) => check.with(GROUP_CHECK, { group }),
  ],
  [`(${AUTHORIZER.name}).serviceAccount(string, string): ${AUTHORIZER.name}`, serviceAccount],
  [`(${GROUP_CHECK.name}).resource(string): ${RESOURCE_CHECK.name}`, resource],
  ...['subresource', 'namespace', 'name', 'fieldSelector', 'labelSelector'].map(part),
  [`(${PATH_CHECK.name}).check(string): ${DECISION.name}`, decide],
  [`(${RESOURCE_CHECK.name}).check(string): ${DECISION.name}`, decide],
  [`(${DECISION.name}).allowed(): bool`, ({ answer }: Decision) => answer.allowed],
  [`(${DECISION.name}).reason(): string`, ({ answer }: Decision) => answer.reason],
  [`(${DECISION.name}).errored(): bool`, ({ answer }: Decision) => answer.error !== undefined],
  [`(${DECISION.name}).error(): string`, ({ answer }: Decision) => answer.error ?? ''],
];
