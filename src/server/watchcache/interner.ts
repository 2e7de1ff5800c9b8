/** Shares strings and label sets that many objects repeat. Forgets them all when full: only sharing is lost. */
export class Interner {
  readonly #limit: number;
  readonly #strings = new Map<string, string>();
  readonly #maps = new Map<string, Readonly<Record<string, string>>>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  string(text: string): string {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    if (this.#strings.size >= this.#limit) this.#strings.clear();
    this.#strings.set(text, text);
    return text;
  }

  map(map: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
    if (!map) return EMPTY;
    const key = JSON.stringify(map);
    const known = this.#maps.get(key);
    if (known) return known;
    if (this.#maps.size >= this.#limit) this.#maps.clear();
    const shared: Record<string, string> = {};
    for (const [name, value] of Object.entries(map)) shared[this.string(name)] = this.string(value);
    this.#maps.set(key, Object.freeze(shared));
    return shared;
  }
}

const EMPTY: Readonly<Record<string, string>> = Object.freeze({});
