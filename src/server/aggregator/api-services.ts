import type { APIService } from '../../api/types.gen.ts';
import type { CachedObject, WatchCache } from '../watchcache/port.ts';

/** An APIService that leads to a Service. */
export interface RemoteService {
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly isAvailable: boolean;
  readonly object: APIService;
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number };
}

/** Where groups and versions stand in discovery. */
export interface Standing {
  readonly groupPriorityMinimum: number;
  readonly versionPriority: number;
}

/** What APIServices say, read from their watch cache whenever somebody asks; parses only after a change. */
export class ApiServices {
  readonly #find: () => WatchCache | undefined;
  #cache: WatchCache | undefined;
  #known: readonly CachedObject[] = [];
  #remotes = new Map<string, RemoteService>();
  #standing = new Map<string, Standing>();
  #generation = 0;

  /** `find` gives the cache of APIServices once it is open. */
  constructor(find: () => WatchCache | undefined) {
    this.#find = find;
  }

  /** Another number whenever anything in here may be different. */
  get generation(): number {
    this.#look();
    return this.#generation;
  }

  /** `undefined`: this server answers for that version itself, or nobody does. */
  remote(group: string, version: string): RemoteService | undefined {
    this.#look();
    return this.#remotes.get(`${group}/${version}`);
  }

  get hasRemotes(): boolean {
    this.#look();
    return this.#remotes.size > 0;
  }

  get remotes(): readonly RemoteService[] {
    this.#look();
    return [...this.#remotes.values()];
  }

  standing(group: string, version: string): Standing | undefined {
    this.#look();
    return this.#standing.get(`${group}/${version}`);
  }

  #look(): void {
    this.#cache ??= this.#find();
    const now = this.#cache?.list({}) ?? [];
    if (now.length === this.#known.length && now.every((one, index) => one === this.#known[index])) return;
    this.#known = now;
    this.#generation++;
    this.#remotes = new Map();
    this.#standing = new Map();
    for (const one of now) this.#take(one.object() as APIService);
  }

  #take(object: APIService): void {
    const { group = '', version = '', service, groupPriorityMinimum, versionPriority } = object.spec ?? {};
    const key = `${group}/${version}`;
    this.#standing.set(key, {
      groupPriorityMinimum: groupPriorityMinimum ?? 0,
      versionPriority: versionPriority ?? 0,
    });
    if (!service) return;
    const { namespace = '', name = '', port = 443 } = service;
    this.#remotes.set(key, {
      name: object.metadata.name ?? '',
      group,
      version,
      object,
      isAvailable:
        object.status?.conditions?.some(({ type, status }) => type === 'Available' && status === 'True') ??
        false,
      service: { namespace, name, port },
    });
  }
}
