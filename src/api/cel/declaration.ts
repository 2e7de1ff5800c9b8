import type { Meter } from './meter.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  NULL,
  opaque,
  optionalOf,
  parametersOf,
  STRING,
  TIMESTAMP,
  UINT,
} from './types.ts';
import type { Value } from './values.ts';

/**
 * Runs a function. Its arguments have the declared types, the receiver first; the meter follows them. Throws
 * `CelError`.
 */
export type Call = (...args: never[]) => Value;

/** One way to call a function. */
export interface Overload {
  readonly name: string;
  /** `receiver.name(…)`; the receiver is the first of `args`. */
  readonly isMember: boolean;
  readonly args: readonly CelType[];
  readonly result: CelType;
  /** Names of the type parameters. */
  readonly parameters: readonly string[];
  readonly call: (...args: readonly (Value | Meter)[]) => Value;
}

/** Signature and implementation. */
export type Declaration = readonly [signature: string, call: Call];

/** Functions by name. */
export type Functions = ReadonlyMap<string, readonly Overload[]>;

/**
 * Reads declarations such as `size(list<T>): int` and, for a receiver, `(string).charAt(int): string`. Single
 * capitals are type parameters, names with a dot opaque types.
 */
export function declareFunctions(...libraries: readonly (readonly Declaration[])[]): Functions {
  const functions = new Map<string, Overload[]>();
  for (const [signature, call] of libraries.flat()) {
    const overload = readSignature(signature, call as Overload['call']);
    const others = functions.get(overload.name);
    if (others) others.push(overload);
    else functions.set(overload.name, [overload]);
  }
  return functions;
}

const SIGNATURE = /^(?:\((.*?)\)\.)?([^(]+)\((.*)\): (.+)$/;

function readSignature(signature: string, call: Overload['call']): Overload {
  const [, receiver, name = '', rest = '', result = ''] = SIGNATURE.exec(signature) ?? [];
  const args = [...(receiver === undefined ? [] : [receiver]), ...split(rest)].map(readType);
  const found = { name, isMember: receiver !== undefined, args, result: readType(result), call };
  return { ...found, parameters: [...new Set([...args, found.result].flatMap(parameterNames))] };
}

const SIMPLE: ReadonlyMap<string, CelType> = new Map([
  ['bool', BOOL],
  ['bytes', BYTES],
  ['double', DOUBLE],
  ['duration', DURATION],
  ['dyn', DYN],
  ['int', INT],
  ['null', NULL],
  ['string', STRING],
  ['timestamp', TIMESTAMP],
  ['uint', UINT],
]);

function readType(text: string): CelType {
  const simple = SIMPLE.get(text);
  if (simple) return simple;
  if (/^[A-Z]$/.test(text)) return { kind: 'param', name: text };
  const [, name, inner = ''] = /^(\w+)<(.*)>$/.exec(text) ?? [];
  if (name === undefined) return opaque(text);
  const of = split(inner).map(readType);
  if (name === 'list') return listOf(of[0]!);
  if (name === 'map') return mapOf(of[0]!, of[1]!);
  if (name === 'type') return { kind: 'type', of: of[0]! };
  return optionalOf(of[0]!);
}

/** At the commas outside of brackets. */
function split(text: string): string[] {
  const parts = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index <= text.length; index++) {
    const character = text[index] ?? ',';
    if (character === '<') depth++;
    if (character === '>') depth--;
    if (character !== ',' || depth > 0) continue;
    const part = text.slice(start, index).trim();
    if (part !== '') parts.push(part);
    start = index + 1;
  }
  return parts;
}

function parameterNames(type: CelType): string[] {
  return type.kind === 'param' ? [type.name] : parametersOf(type).flatMap(parameterNames);
}
