import { createHash } from 'node:crypto';
import { isObject } from '../../api/json-value.ts';
import type { Clock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { ApiServices, RemoteService } from './api-services.ts';
import { pathOf } from './availability-controller.ts';
import type { RemoteClient } from './remote-client.ts';
import { type SwaggerParts, swaggerParts } from './swagger-parts.ts';

/** What aggregated API servers add to `/openapi/v2`. */
export interface RemoteParts extends SwaggerParts {
  /** Changes when any of it does. */
  readonly hash: string;
}

interface Index {
  readonly atMs: number;
  /** By path below `/openapi/v3/`. */
  readonly paths: ReadonlyMap<string, object>;
}

export interface RemoteOpenApiOptions {
  readonly services: ApiServices;
  readonly remotes: RemoteClient;
  readonly clock: Clock;
}

/** OpenAPI documents of aggregated API servers, read when a client asks: nothing large is kept. */
export class RemoteOpenApi {
  readonly #options: RemoteOpenApiOptions;
  readonly #indexes = new Map<string, Index>();

  constructor(options: RemoteOpenApiOptions) {
    this.#options = options;
  }

  /** What they add to the index of `/openapi/v3`. One that does not answer adds what it last said. */
  async index(): Promise<Record<string, object>> {
    const remotes = this.#available();
    const names = new Set(remotes.map(({ name }) => name));
    for (const name of this.#indexes.keys()) if (!names.has(name)) this.#indexes.delete(name);
    await Promise.all(remotes.map((remote) => this.#refresh(remote)));
    const entries = remotes.flatMap((remote) => {
      const path = pathOf(remote).slice(1);
      const entry = this.#indexes.get(remote.name)?.paths.get(path);
      return entry ? [[path, entry] as const] : [];
    });
    return Object.fromEntries(entries);
  }

  /** What they add to `/openapi/v2`: the paths of their versions, and every schema. */
  async v2(): Promise<RemoteParts> {
    const found = await Promise.all(this.#available().map((remote) => this.#v2Of(remote)));
    const parts = found.filter((one) => one !== undefined);
    return {
      paths: parts.flatMap(({ paths }) => paths),
      schemas: parts.flatMap(({ schemas }) => schemas),
      hash: parts.map(({ hash }) => hash).join(''),
    };
  }

  #available(): readonly RemoteService[] {
    return this.#options.services.remotes.filter(({ isAvailable }) => isAvailable);
  }

  async #refresh(remote: RemoteService): Promise<void> {
    const { remotes, clock } = this.#options;
    const atMs = clock.monotonicMs();
    const known = this.#indexes.get(remote.name);
    if (known && atMs - known.atMs < LIMITS.aggregator.indexMs) return;
    try {
      const { statusCode, text } = await remotes.get(remote, '/openapi/v3', { accept: 'application/json' });
      if (statusCode !== 200) return;
      const document: unknown = JSON.parse(text);
      const paths = isObject(document) && isObject(document['paths']) ? document['paths'] : {};
      const entries = Object.entries(paths).filter((one): one is [string, object] => isObject(one[1]));
      this.#indexes.set(remote.name, { atMs, paths: new Map(entries) });
    } catch {
      // Its other documents say nothing of it either then.
    }
  }

  async #v2Of(remote: RemoteService): Promise<RemoteParts | undefined> {
    try {
      const { statusCode, text } = await this.#options.remotes.get(remote, '/openapi/v2', {
        accept: 'application/json',
      });
      if (statusCode !== 200) return undefined;
      const parts = swaggerParts(JSON.parse(text), pathOf(remote));
      return { ...parts, hash: createHash('sha256').update(text).digest('hex').toUpperCase() };
    } catch {
      return undefined;
    }
  }
}
