/** Bytes that are not the protobuf they claim to be; the message says what is wrong. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

/** Reads the protobuf wire format (https://protobuf.dev/programming-guides/encoding/) without copying. */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** The next field's number and wire type. */
  tag(): { number: number; wire: number } {
    const tag = Number(this.varint());
    const number = Math.floor(tag / 8);
    if (number <= 0 || number > 0x1fff_ffff)
      throw new ProtobufError(`proto: illegal tag ${number} (wire type ${tag % 8})`);
    return { number, wire: tag % 8 };
  }

  /** An unsigned varint; a bigint only where a number would not be exact. */
  varint(): number | bigint {
    let value = 0;
    let factor = 1;
    for (let index = 0; index < 10; index++) {
      if (this.#at >= this.#end) throw new ProtobufError('unexpected EOF');
      const byte = this.#bytes[this.#at++] ?? 0;
      if (index === 7 && (byte > 0x0f || byte >= 0x80)) {
        this.#at -= 8;
        return this.#longVarint();
      }
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw new ProtobufError('proto: integer overflow');
  }

  #longVarint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.#at >= this.#end) throw new ProtobufError('unexpected EOF');
      const byte = this.#bytes[this.#at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ProtobufError('proto: integer overflow');
  }

  /** A signed 64-bit integer; a bigint only where a number would not be exact. */
  int64(): number | bigint {
    const value = this.varint();
    if (typeof value === 'number') return value;
    const signed = BigInt.asIntN(64, value);
    const number = Number(signed);
    return Number.isSafeInteger(number) ? number : signed;
  }

  int32(): number {
    const value = this.varint();
    return typeof value === 'number' ? value | 0 : Number(BigInt.asIntN(32, value));
  }

  bool(): boolean {
    return Number(this.varint()) !== 0;
  }

  double(): number {
    if (this.#at + 8 > this.#end) throw new ProtobufError('unexpected EOF');
    const { buffer, byteOffset } = this.#bytes;
    this.#at += 8;
    return new DataView(buffer, byteOffset + this.#at - 8, 8).getFloat64(0, true);
  }

  #length(): number {
    const length = Number(this.varint());
    if (length > this.#end - this.#at) throw new ProtobufError('unexpected EOF');
    return length;
  }

  /** A view of the bytes, not a copy. */
  bytes(): Uint8Array {
    const length = this.#length();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A reader of the nested message. */
  nested(): ProtobufReader {
    const length = this.#length();
    this.#at += length;
    return new ProtobufReader(this.#bytes, this.#at - length, this.#at);
  }

  /** Passes over the value of a field nobody knows. */
  skip(wire: number): void {
    if (wire === 0) this.varint();
    else if (wire === 1) this.#at += 8;
    else if (wire === 2) this.bytes();
    else if (wire === 5) this.#at += 4;
    else throw new ProtobufError(`proto: illegal wireType ${wire}`);
    if (this.#at > this.#end) throw new ProtobufError('unexpected EOF');
  }
}
