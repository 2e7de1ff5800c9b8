import { setOwn } from '../../json-value.ts';
import type { Declaration } from '../declaration.ts';
import type { Construct } from '../steps.ts';
import { toJson } from '../to-json.ts';
import { type CelType, DYN, STRING, type StructType } from '../types.ts';
import { CelError, ListValue, type StructValue, type Value } from '../values.ts';

/** `Object` and what lies in it, such as `Object.spec.template`: any field, nothing is known of it. */
class ObjectType implements StructType {
  readonly kind = 'struct';
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  field(): CelType {
    return DYN;
  }
}

export const OBJECT = new ObjectType('Object');

const PATCH_FIELDS: ReadonlyMap<string, CelType> = new Map([
  ['op', STRING],
  ['path', STRING],
  ['from', STRING],
  ['value', DYN],
]);

export const JSON_PATCH: StructType = {
  kind: 'struct',
  name: 'JSONPatch',
  field: (name) => PATCH_FIELDS.get(name),
};

/** The types that mutations may make: `Object…{}` and `JSONPatch{}`. */
export function patchStruct(name: string): StructType | undefined {
  if (name === 'JSONPatch') return JSON_PATCH;
  if (name === 'Object') return OBJECT;
  return name.startsWith('Object.') ? new ObjectType(name) : undefined;
}

/** A value of one of these types. */
class PatchValue implements StructValue {
  readonly isStruct = true;
  readonly type: StructType;
  readonly #fields: ReadonlyMap<string, Value>;
  constructor(type: StructType, fields: ReadonlyMap<string, Value>) {
    this.type = type;
    this.#fields = fields;
  }
  get(field: string): Value | undefined {
    return this.#fields.get(field);
  }
  fields(): readonly string[] {
    return [...this.#fields.keys()];
  }
}

export const constructPatch: Construct = (type, fields) => new PatchValue(type, fields);

/** Functions only mutations have: the key of a map as part of a JSON pointer. */
export const patchDeclarations: readonly Declaration[] = [
  [
    'jsonpatch.escapeKey(string): string',
    (key: string) => key.replace(/[~/]/g, (found) => (found === '~' ? '~0' : '~1')),
  ],
];

/**
 * What `Object{…}` says, as JSON. Throws `CelError` where the name of a type does not tell where it stands, as
 * `Object{spec: Object.status{}}`.
 */
export function objectToJson(value: Value): unknown {
  const json = toJson(value);
  // Now that it is known to be small.
  checkNames(value, 'Object');
  return json;
}

function checkNames(value: Value, path: string): void {
  if (value instanceof ListValue) for (const item of value) checkNames(item, path);
  if (!(value instanceof PatchValue)) return;
  const { name } = value.type;
  if (name !== path) {
    const message = `unexpected type name ${JSON.stringify(name)}, expected ${JSON.stringify(path)}, which matches field name path from root Object type`;
    throw new CelError(message);
  }
  for (const field of value.fields()) checkNames(value.get(field) ?? null, `${path}.${field}`);
}

/** The operations that a list of `JSONPatch{…}` holds. */
export function patchOperations(value: Value): object[] {
  if (!(value instanceof ListValue)) throw new CelError('JSONPatchType.expression should evaluate to array');
  return value.toArray().map((item) => {
    if (!(item instanceof PatchValue) || item.type !== JSON_PATCH)
      throw new CelError('JSONPatchType.expression should evaluate to array of JSONPatch');
    const operation = {};
    for (const name of item.fields()) setOwn(operation, name, operationPart(item.get(name) ?? null));
    return operation;
  });
}

/** Values may be `Object…{}`; there its name starts anywhere. */
function operationPart(value: Value): unknown {
  const json = toJson(value);
  if (value instanceof PatchValue) checkNames(value, value.type.name);
  return json;
}
