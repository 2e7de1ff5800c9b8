/**
 * The header fields of an answer, in the form that Node takes at once with the status: names and values in turn. Given
 * one by one they cost several times as much. A list of a dozen is searched faster than anything that hashes.
 */
export class HeaderFields {
  readonly list: (string | string[])[] = [];

  get(name: string): string | string[] | undefined {
    const at = this.#find(name);
    return at < 0 ? undefined : this.list[at + 1];
  }

  /** Replaces what was set before. An array becomes one field for each of its values. */
  set(name: string, value: string | string[]): void {
    const at = this.#find(name);
    if (at < 0) this.list.push(name, value);
    else this.list[at + 1] = value;
  }

  delete(name: string): void {
    const at = this.#find(name);
    if (at >= 0) this.list.splice(at, 2);
  }

  /** Backends write names in any case. */
  #find(name: string): number {
    const { list } = this;
    for (let at = 0; at < list.length; at += 2) if (isSame(list[at] as string, name)) return at;
    return -1;
  }
}

function isSame(one: string, other: string): boolean {
  return one === other || (one.length === other.length && one.toLowerCase() === other.toLowerCase());
}
