import type { Exchange } from './exchange.ts';

/** Answers one path that is no resource. */
export type Page = (exchange: Exchange) => Promise<void>;

/** Pages by path: exact ones, and folders that answer for everything below them. */
export class PathPages {
  readonly #exact = new Map<string, Page>();
  readonly #folders: { readonly prefix: string; readonly page: Page }[] = [];

  add(path: string, page: Page): this {
    this.#exact.set(path, page);
    return this;
  }
  /** `prefix` ends in a slash. */
  addFolder(prefix: string, page: Page): this {
    this.#folders.push({ prefix, page });
    return this;
  }
  find(path: string): Page | undefined {
    const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
    return this.#exact.get(trimmed) ?? this.#folders.find(({ prefix }) => path.startsWith(prefix))?.page;
  }
  get paths(): readonly string[] {
    return [...this.#exact.keys()].sort();
  }
}
