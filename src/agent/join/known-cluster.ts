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
  }

  async change(change: Partial<KnownCluster>): Promise<void> {
    const next = { ...this.#known, ...change };
    if (JSON.stringify(next) === JSON.stringify(this.#known)) return;
    this.#known = next;
    await writeFileAtomic(this.#path, `${JSON.stringify(next)}\n`);
  }
}

const isOrigin = (text: unknown): text is string =>
  typeof text === 'string' && text.startsWith('https://') && URL.canParse(text);
