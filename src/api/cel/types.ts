/**
 * The types of CEL. Values know theirs at run time, too. Structs look up their fields when asked, since the types
 * of Kubernetes recurse.
 */
export type CelType =
  | { readonly kind: SimpleKind }
  | { readonly kind: 'list'; readonly element: CelType }
  | { readonly kind: 'map'; readonly key: CelType; readonly value: CelType }
  | StructType
  | OpaqueType
  /** The type of a type. */
  | { readonly kind: 'type'; readonly of?: CelType }
  | { readonly kind: 'param'; readonly name: string };

export type SimpleKind =
  | 'bool'
  | 'bytes'
  | 'double'
  | 'duration'
  | 'dyn'
  | 'error'
  | 'int'
  | 'null'
  | 'string'
  | 'timestamp'
  | 'uint';

/** `optional_type(T)`, `kubernetes.URL`, … */
export interface OpaqueType {
  readonly kind: 'opaque';
  readonly name: string;
  readonly of: readonly CelType[];
}

/** An object with known fields. */
export interface StructType {
  readonly kind: 'struct';
  readonly name: string;
  field(name: string): CelType | undefined;
}

const simple = (kind: SimpleKind): CelType => ({ kind });
export const BOOL = simple('bool');
export const BYTES = simple('bytes');
export const DOUBLE = simple('double');
export const DURATION = simple('duration');
export const DYN = simple('dyn');
export const ERROR = simple('error');
export const INT = simple('int');
export const NULL = simple('null');
export const STRING = simple('string');
export const TIMESTAMP = simple('timestamp');
export const UINT = simple('uint');
export const TYPE: CelType = { kind: 'type' };

export const listOf = (element: CelType): CelType => ({ kind: 'list', element });
export const mapOf = (key: CelType, value: CelType): CelType => ({ kind: 'map', key, value });
export const optionalOf = (type: CelType): CelType => ({ kind: 'opaque', name: 'optional_type', of: [type] });
export const opaque = (name: string): OpaqueType => ({ kind: 'opaque', name, of: [] });

export const isDyn = ({ kind }: CelType): boolean => kind === 'dyn';
export const isDynOrError = ({ kind }: CelType): boolean => kind === 'dyn' || kind === 'error';

/** What an optional holds; `undefined` for other types. */
export function unwrapOptional(type: CelType): CelType | undefined {
  return type.kind === 'opaque' && type.name === 'optional_type' ? type.of[0] : undefined;
}

/** The types a type is made of. */
export function parametersOf(type: CelType): readonly CelType[] {
  if (type.kind === 'list') return [type.element];
  if (type.kind === 'map') return [type.key, type.value];
  if (type.kind === 'opaque') return type.of;
  if (type.kind === 'type') return type.of ? [type.of] : [];
  return [];
}

/** The same kind of type made of other types. */
export function withParameters(type: CelType, parameters: readonly CelType[]): CelType {
  if (type.kind === 'list') return listOf(parameters[0]!);
  if (type.kind === 'map') return mapOf(parameters[0]!, parameters[1]!);
  if (type.kind === 'opaque') return { ...type, of: parameters };
  if (type.kind === 'type' && parameters[0]) return { kind: 'type', of: parameters[0] };
  return type;
}

export function isSameType(left: CelType, right: CelType): boolean {
  if (left === right) return true;
  if (left.kind !== right.kind || nameOf(left) !== nameOf(right)) return false;
  const [mine, theirs] = [parametersOf(left), parametersOf(right)];
  return mine.length === theirs.length && mine.every((one, index) => isSameType(one, theirs[index]!));
}

function nameOf(type: CelType): string {
  return type.kind === 'struct' || type.kind === 'opaque' || type.kind === 'param' ? type.name : '';
}

/** The name that `type(x)` shows. */
export function runtimeName(type: CelType): string {
  if (type.kind === 'null') return 'null_type';
  if (type.kind === 'duration') return 'google.protobuf.Duration';
  if (type.kind === 'timestamp') return 'google.protobuf.Timestamp';
  return nameOf(type) || type.kind;
}

/** As errors of the type checker show it. */
export function formatType(type: CelType): string {
  if (type.kind === 'error') return '!error!';
  const name = nameOf(type) || type.kind;
  const parameters = parametersOf(type);
  return parameters.length === 0 ? name : `${name}(${parameters.map(formatType).join(', ')})`;
}

/** `int.(string)`, `(int, string)`: the arguments of a call, as errors show them. */
export function formatArguments(types: readonly CelType[], hasTarget: boolean): string {
  const [target, args] = hasTarget ? [types[0], types.slice(1)] : [undefined, types];
  return `${target ? `${formatType(target)}.` : ''}(${args.map(formatType).join(', ')})`;
}
