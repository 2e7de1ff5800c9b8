import { readText, writeFileAtomic } from '../../lib/secret-file.ts';

/** What a board remembers of its cluster besides its identity, for a start without the server. */
export interface KnownCluster {
  /** Addresses of the servers, as the cluster last named them. */
  readonly servers: readonly string[];
  /** The cluster's settings as the server last said them, as JSON text. */
  readonly settings: string | undefined;
}

/** That, in a file which is written only when something changed. */
export class KnownClusterFile {
  readonly #path: string;
  #known: KnownCluster = { servers: [], settings: undefined };
  /** What is in the file. */
  #written = '';
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  get known(): KnownCluster {
    return this.#known;
  }

  /** A file that cannot be read is as good as none: the server says all of it again. */
  async load(): Promise<void> {
    try {
      const { servers, settings } = JSON.parse((await readText(this.#path)) ?? '{}') as Partial<KnownCluster>;
      this.#known = {
        servers: Array.isArray(servers) ? servers.filter(isOrigin) : [],
        settings: typeof settings === 'string' ? settings : undefined,
      };
    } catch {
      this.#known = { servers: [], settings: undefined };
    }
    this.#written = JSON.stringify(this.#known);
  }

  /** One write after the other. Rejects when the file cannot be written; the next change writes this one, too. */
  async change(change: Partial<KnownCluster>): Promise<void> {
    this.#known = { ...this.#known, ...change };
    const write = this.#writing.then(() => this.#write());
    this.#writing = write.catch(() => {});
    await write;
  }

  async #write(): Promise<void> {
    const text = JSON.stringify(this.#known);
    if (text === this.#written) return;
    await writeFileAtomic(this.#path, `${text}\n`);
    this.#written = text;
  }
}

const isOrigin = (text: unknown): text is string =>
  typeof text === 'string' && text.startsWith('https://') && URL.canParse(text);
