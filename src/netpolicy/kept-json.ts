import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from '../lib/log.ts';

/** One value in one file, for a start without the server. Written only when it changes; no value, no file. */
export class KeptJson<T> {
  readonly #path: string;
  readonly #log: Logger;
  readonly #isValid: (value: unknown) => value is T;
  /** What the file holds; unknown before the first write or read. */
  #text: string | undefined | 'unknown' = 'unknown';

  constructor(options: {
    readonly path: string;
    readonly log: Logger;
    readonly isValid: (value: unknown) => value is T;
  }) {
    this.#path = options.path;
    this.#log = options.log;
    this.#isValid = options.isValid;
  }

  async read(): Promise<T | undefined> {
    try {
      const text = await readFile(this.#path, 'utf8');
      const value: unknown = JSON.parse(text);
      if (!this.#isValid(value)) throw new Error('does not hold what was written');
      this.#text = text;
      return value;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn('what was last known of network policies cannot be read', { path: this.#path, error });
      return undefined;
    }
  }

  /** Never rejects: a full disk must not keep rules out of the kernel. */
  async write(value: T | undefined): Promise<void> {
    const text = value === undefined ? undefined : JSON.stringify(value);
    if (text === this.#text) return;
    try {
      if (text === undefined) await rm(this.#path, { force: true });
      else {
        await mkdir(dirname(this.#path), { recursive: true });
        await writeFile(`${this.#path}.new`, text, { mode: 0o600, flush: true });
        await rename(`${this.#path}.new`, this.#path);
      }
      this.#text = text;
    } catch (error) {
      this.#log.warn('network policies cannot be kept for a start without the server', {
        path: this.#path,
        error,
      });
    }
  }
}
