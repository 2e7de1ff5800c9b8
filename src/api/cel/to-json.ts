import { setOwn } from '../json-value.ts';
import { formatDuration, formatTimestamp } from './time.ts';
import {
  CelError,
  Duration,
  isMap,
  isStruct,
  ListValue,
  OptionalValue,
  Timestamp,
  Uint,
  type Value,
} from './values.ts';

/** The value as JSON data. Throws `CelError` for what JSON cannot hold, such as types and URLs. */
export function toJson(value: Value): unknown {
  switch (typeof value) {
    case 'bigint':
      return Number(value);
    case 'object':
      return value === null ? null : objectToJson(value);
    default:
      return value;
  }
}

function objectToJson(value: Exclude<Value, null | boolean | bigint | number | string>): unknown {
  if (value instanceof ListValue) return value.toArray().map(toJson);
  if (value instanceof Uint) return Number(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof OptionalValue) return value.value === undefined ? null : toJson(value.value);
  const object = {};
  if (isMap(value)) {
    for (const key of value.keys()) {
      if (typeof key !== 'string') throw new CelError(`unsupported key type in JSON: ${typeof key}`);
      setOwn(object, key, toJson(value.get(key) ?? null));
    }
    return object;
  }
  if (!isStruct(value)) throw new CelError('unsupported conversion to JSON');
  for (const name of value.fields()) setOwn(object, name, toJson(value.get(name) ?? null));
  return object;
}
