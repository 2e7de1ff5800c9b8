import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyedLock } from './keyed-lock.ts';

/**
 * What this process knows about its sandboxes and containers, kept in memory and in one small file each, so that
 * it survives us. Files are replaced whole by rename and never synced: after a power cut nothing runs any more, and
 * a record that went missing belongs to something that is gone too.
 */
export class Records<T> {
  readonly #dir: string;
  readonly #records = new Map<string, T>();
  /** Two saves of one record would rename the same temporary file. */
  readonly #files = new KeyedLock();

  /** Reads what is there. A file that does not parse (cut off by a power loss) counts as absent and is removed. */
  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(dir)) {
      if (!name.endsWith('.json')) continue;
      const path = join(dir, name);
      try {
        this.#records.set(name.slice(0, -5), JSON.parse(readFileSync(path, 'utf8')) as T);
      } catch {
        void rm(path, { force: true });
      }
    }
  }

  get(id: string): T | undefined {
    return this.#records.get(id);
  }

  all(): readonly T[] {
    return [...this.#records.values()];
  }

  async save(id: string, record: T): Promise<void> {
    this.#records.set(id, record);
    await this.#files.run(id, async () => {
      // What came after us counts: a later save, or a removal.
      const latest = this.#records.get(id);
      if (latest === undefined) return;
      const path = join(this.#dir, `${id}.json`);
      await writeFile(`${path}.new`, JSON.stringify(latest), { mode: 0o600 });
      await rename(`${path}.new`, path);
    });
  }

  async remove(id: string): Promise<void> {
    this.#records.delete(id);
    await this.#files.run(id, async () => {
      if (!this.#records.has(id)) await rm(join(this.#dir, `${id}.json`), { force: true });
    });
  }
}
