import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

interface Pulled {
  readonly lastUsedMs: number;
}

/**
 * The images that this node pulled, on its disk: only they may be collected, whatever was imported by hand is not
 * ours to remove. Written when an image is pulled or removed, never for mere use.
 */
export class PulledImages {
  readonly #file: string;
  readonly #images = new Map<string, Pulled>();
  #last: Promise<void>;

  constructor(file: string) {
    this.#file = file;
    this.#last = this.#load();
  }

  async all(): Promise<ReadonlyMap<string, Pulled>> {
    await this.#last;
    return this.#images;
  }

  async add(id: string, nowMs: number): Promise<void> {
    await this.#last;
    const known = this.#images.has(id);
    this.#images.set(id, { lastUsedMs: nowMs });
    if (!known) await this.#save();
  }

  /** Counts for one that was pulled; nothing is written. */
  used(id: string, nowMs: number): void {
    if (this.#images.has(id)) this.#images.set(id, { lastUsedMs: nowMs });
  }

  async remove(id: string): Promise<void> {
    await this.#last;
    if (this.#images.delete(id)) await this.#save();
  }

  async #load(): Promise<void> {
    const text = await readFile(this.#file, 'utf8').catch(() => '[]');
    try {
      for (const [id, lastUsedMs] of JSON.parse(text) as [string, number][])
        this.#images.set(id, { lastUsedMs });
    } catch {
      // Damaged: no image counts as pulled, so none is removed.
    }
  }

  #save(): Promise<void> {
    this.#last = this.#last
      .then(async () => {
        const entries = [...this.#images].map(([id, { lastUsedMs }]) => [id, lastUsedMs]);
        await mkdir(dirname(this.#file), { recursive: true });
        await writeFile(`${this.#file}.new`, JSON.stringify(entries));
        await rename(`${this.#file}.new`, this.#file);
      })
      .catch(() => {});
    return this.#last;
  }
}
