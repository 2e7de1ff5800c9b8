import { LIMITS } from '../../lib/limits.ts';
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

/**
 * The value as JSON data. Throws `CelError` for what JSON cannot hold, such as types and URLs, and for what would be
 * larger than `LIMITS.cel.resultChars`: an expression may mention the same list again and again in little time.
 */
export function toJson(value: Value): unknown {
  return new Encoder().encode(value);
}

/** What a value counts besides its characters. */
const VALUE_SIZE = 16;

class Encoder {
  #size = 0;

  encode(value: Value): unknown {
    this.#grow(typeof value === 'string' ? value.length + VALUE_SIZE : VALUE_SIZE);
    switch (typeof value) {
      case 'bigint':
        return Number(value);
      case 'object':
        return value === null ? null : this.#object(value);
      default:
        return value;
    }
  }

  #grow(size: number): void {
    this.#size += size;
    if (this.#size > LIMITS.cel.resultChars) throw new CelError('the result is too large');
  }

  #object(value: Exclude<Value, null | boolean | bigint | number | string>): unknown {
    if (value instanceof ListValue) return value.toArray().map((item) => this.encode(item));
    if (value instanceof Uint) return Number(value.value);
    if (value instanceof Uint8Array) return this.#bytes(value);
    if (value instanceof Timestamp) return formatTimestamp(value);
    if (value instanceof Duration) return formatDuration(value);
    if (value instanceof OptionalValue) return value.value === undefined ? null : this.encode(value.value);
    const object = {};
    if (isMap(value)) {
      for (const key of value.keys()) {
        if (typeof key !== 'string') throw new CelError(`unsupported key type in JSON: ${typeof key}`);
        this.#grow(key.length);
        setOwn(object, key, this.encode(value.get(key) ?? null));
      }
      return object;
    }
    if (!isStruct(value)) throw new CelError('unsupported conversion to JSON');
    for (const name of value.fields()) setOwn(object, name, this.encode(value.get(name) ?? null));
    return object;
  }

  #bytes(bytes: Uint8Array): string {
    this.#grow(bytes.length);
    return Buffer.from(bytes).toString('base64');
  }
}
