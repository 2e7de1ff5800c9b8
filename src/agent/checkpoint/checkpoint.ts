import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeObject } from '../../api/resource.ts';
import type { Pod } from '../../api/types.gen.ts';
import { errorText, type Logger } from '../../lib/log.ts';

/**
 * The pods of this node and what they name, on its disk, so that a board whose server is away starts its pods. A file
 * is written only when its content changed, to a new name that then replaces the old one: a power cut leaves either.
 * Files are 0600, for Secrets are among them.
 */
export class Checkpoint {
  readonly #dir: string;
  readonly #log: Logger;
  /** Digest of what each file holds. */
  readonly #known = new Map<string, string>();
  #last: Promise<void> = Promise.resolve();

  constructor(options: { readonly dir: string; readonly log: Logger }) {
    this.#dir = options.dir;
    this.#log = options.log;
  }

  /** Pods as they were last known, without status. A damaged file is left out and said. */
  async pods(): Promise<readonly Pod[]> {
    const dir = join(this.#dir, 'pods');
    const names = await readdir(dir).catch(() => []);
    const found: Pod[] = [];
    for (const name of names.filter((file) => file.endsWith('.json'))) {
      const pod = await this.#read(join(dir, name));
      if (pod?.metadata?.uid !== undefined) found.push(pod as Pod);
    }
    return found;
  }

  savePod(pod: Pod): Promise<void> {
    const { managedFields: _, resourceVersion: __, ...metadata } = pod.metadata;
    const { apiVersion = 'v1', kind = 'Pod', spec } = pod;
    return this.#save(this.#podFile(pod.metadata.uid ?? ''), { apiVersion, kind, metadata, spec });
  }

  removePod(uid: string): Promise<void> {
    return this.#remove(this.#podFile(uid));
  }

  async object(key: string): Promise<KubeObject | undefined> {
    return this.#read(this.#objectFile(key));
  }

  saveObject(key: string, object: KubeObject): Promise<void> {
    const { managedFields: _, resourceVersion: __, ...metadata } = object.metadata;
    return this.#save(this.#objectFile(key), { ...object, metadata });
  }

  removeObject(key: string): Promise<void> {
    return this.#remove(this.#objectFile(key));
  }

  /** Resolves when everything asked for so far is on the disk. */
  flush(): Promise<void> {
    return this.#last;
  }

  #podFile(uid: string): string {
    return join(this.#dir, 'pods', `${uid}.json`);
  }

  #objectFile(key: string): string {
    return join(this.#dir, 'objects', `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.json`);
  }

  async #read(file: string): Promise<KubeObject | undefined> {
    try {
      const text = await readFile(file, 'utf8');
      this.#known.set(file, digest(text));
      return JSON.parse(text) as KubeObject;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn('a saved object cannot be read', { file, error: errorText(error) });
      return undefined;
    }
  }

  #save(file: string, content: object): Promise<void> {
    const text = JSON.stringify(content);
    const sum = digest(text);
    if (this.#known.get(file) === sum) return this.#last;
    this.#known.set(file, sum);
    return this.#queue(file, async () => {
      await mkdir(join(file, '..'), { recursive: true, mode: 0o700 });
      const fresh = `${file}.new`;
      const handle = await open(fresh, 'w', 0o600);
      try {
        await handle.writeFile(text);
        await handle.datasync();
      } finally {
        await handle.close();
      }
      await rename(fresh, file);
    });
  }

  #remove(file: string): Promise<void> {
    this.#known.delete(file);
    return this.#queue(file, () => rm(file, { force: true }));
  }

  /** One after the other; a full disk is said once per write and never stops the agent. */
  #queue(file: string, work: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(work).catch((error) => {
      this.#known.delete(file);
      this.#log.warn('an object could not be saved for times without the server', { file, error });
    });
    return this.#last;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
