import { Watch } from '@kubernetes/client-node';
import type { DeleteOptions, ListMeta, ObjectMeta, Status } from '../../../src/api/types.gen.ts';
import { type ApiClient, type Query, StatusError } from './api-client.ts';
import { WatchEvents } from './watch-events.ts';

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}
export interface KubeList<T> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ListMeta;
  readonly items: T[];
}

const PATCH_TYPES = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;
export type PatchType = keyof typeof PATCH_TYPES;

export interface PatchOptions {
  readonly type?: PatchType;
  readonly subresource?: string;
  readonly query?: Query;
}

/** Every verb of one resource, in one namespace or in all, through client-node. */
export class ResourceClient<T extends KubeObject> {
  readonly #api: ApiClient;
  readonly path: string;

  /** `groupVersion` is `v1` or `group/version`. */
  constructor(api: ApiClient, groupVersion: string, plural: string, namespace?: string) {
    this.#api = api;
    const root = groupVersion.includes('/') ? '/apis' : '/api';
    const scope = namespace === undefined ? '' : `/namespaces/${namespace}`;
    this.path = `${root}/${groupVersion}${scope}/${plural}`;
  }

  /** Fields that a test leaves out on purpose or that the server defaults need no place in the type. */
  async create(object: Partial<T>, query: Query = {}): Promise<T> {
    return await this.#api.json('POST', this.path, { body: object, query });
  }
  async get(name: string, subresource = ''): Promise<T> {
    return await this.#api.json('GET', this.#of(name, subresource));
  }
  /** Undefined where there is none. */
  async find(name: string): Promise<T | undefined> {
    try {
      return await this.get(name);
    } catch (error) {
      if (error instanceof StatusError && error.code === 404) return undefined;
      throw error;
    }
  }
  async list(query: Query = {}): Promise<KubeList<T>> {
    return await this.#api.json('GET', this.path, { query });
  }
  async update(object: T, subresource = '', query: Query = {}): Promise<T> {
    return await this.#api.json('PUT', this.#of(object.metadata.name ?? '', subresource), {
      body: object,
      query,
    });
  }
  /** Reads, changes and writes until nobody else was faster. */
  async modify(name: string, change: (object: T) => void, subresource = ''): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const object = await this.get(name, subresource);
      change(object);
      try {
        return await this.update(object, subresource);
      } catch (error) {
        if (!(error instanceof StatusError && error.reason === 'Conflict' && attempt < 10)) throw error;
      }
    }
  }
  /** A merge patch unless told otherwise. */
  async patch(name: string, patch: unknown, options: PatchOptions = {}): Promise<T> {
    return await this.#api.json('PATCH', this.#of(name, options.subresource ?? ''), {
      body: patch,
      contentType: PATCH_TYPES[options.type ?? 'merge'],
      query: options.query ?? {},
    });
  }
  async delete(name: string, options: DeleteOptions = {}): Promise<T | Status> {
    return await this.#api.json('DELETE', this.#of(name, ''), {
      body: { kind: 'DeleteOptions', apiVersion: 'v1', ...options },
    });
  }
  async deleteCollection(query: Query, options: DeleteOptions = {}): Promise<KubeList<T> | Status> {
    return await this.#api.json('DELETE', this.path, {
      query,
      body: { kind: 'DeleteOptions', apiVersion: 'v1', ...options },
    });
  }
  /** Starts a watch, which the caller stops. */
  watch(query: Query = {}): WatchEvents<T> {
    const events = new WatchEvents<T>();
    const parameters: Record<string, string | number | boolean | undefined> = { ...query };
    new Watch(this.#api.config)
      .watch(
        this.path,
        parameters,
        (type: string, object: T) => events.push({ type, object }),
        (error: unknown) => events.end(error),
      )
      .then((controller) => events.stopWith(controller));
    return events;
  }

  #of(name: string, subresource: string): string {
    return `${this.path}/${name}${subresource === '' ? '' : `/${subresource}`}`;
  }
}
