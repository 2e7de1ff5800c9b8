import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { NetworkPolicy } from '../api/types.gen.ts';
import type { Logger } from '../lib/log.ts';

/** What a board needs of the API to isolate its pods after a reboot without the server. */
export interface KnownPolicies {
  readonly policies: readonly NetworkPolicy[];
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** The policies last seen, on disk; no file while there are none. Written only when they change. */
export class LastKnown {
  readonly #path: string;
  readonly #log: Logger;
  #written: string | undefined;

  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  async read(): Promise<KnownPolicies | undefined> {
    try {
      const text = await readFile(this.#path, 'utf8');
      const { policies, namespaces } = JSON.parse(text) as Partial<KnownPolicies>;
      if (!Array.isArray(policies) || typeof namespaces !== 'object') throw new Error('not as written');
      this.#written = text;
      return { policies, namespaces };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn('the policies last known cannot be read', { path: this.#path, error });
      return undefined;
    }
  }

  /** Never rejects: a full disk must not keep rules out of the kernel. */
  async write(known: KnownPolicies): Promise<void> {
    const text = known.policies.length === 0 ? undefined : JSON.stringify(known);
    if (text === this.#written && text !== undefined) return;
    try {
      if (text === undefined) await rm(this.#path, { force: true });
      else {
        await mkdir(dirname(this.#path), { recursive: true });
        await writeFile(`${this.#path}.new`, text, { mode: 0o600, flush: true });
        await rename(`${this.#path}.new`, this.#path);
      }
      this.#written = text;
    } catch (error) {
      this.#log.warn('the policies cannot be kept for a start without the server', { error });
    }
  }
}
