/** Writes the protobuf wire format; the counterpart of the decoder's reader. */
export class ProtobufWriter {
  readonly #chunks: Uint8Array[] = [];
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#sizeBytes += chunk.length;
  }

  #varint(value: number): void {
    const bytes: number[] = [];
    let rest = value;
    while (rest >= 128) {
      bytes.push((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    bytes.push(rest);
    this.#push(Uint8Array.from(bytes));
  }

  /** A string field; absent and empty ones are left out. */
  string(number: number, value: unknown): this {
    if (typeof value !== 'string' || value === '') return this;
    return this.bytes(number, Buffer.from(value));
  }

  bool(number: number, value: unknown): this {
    if (value !== true) return this;
    this.#varint(number * 8);
    this.#varint(1);
    return this;
  }

  /** An integer field; negative ones take ten bytes, as int32 and int64 do. */
  integer(number: number, value: number | bigint): this {
    this.#varint(number * 8);
    let rest = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    this.#push(Uint8Array.from([...bytes, Number(rest)]));
    return this;
  }

  bytes(number: number, value: Uint8Array): this {
    this.#varint(number * 8 + 2);
    this.#varint(value.length);
    this.#push(value);
    return this;
  }

  /** A nested message. */
  message(number: number, content: ProtobufWriter): this {
    this.#varint(number * 8 + 2);
    this.#varint(content.sizeBytes);
    for (const chunk of content.#chunks) this.#push(chunk);
    return this;
  }

  /** All bytes in one piece. */
  finish(): Uint8Array {
    return Buffer.concat(this.#chunks, this.#sizeBytes);
  }
}
