import { selectedName } from '../api/fields.ts';
import { copyJson } from '../api/json-value.ts';
import { apiVersionOf, type KubeObject, type Resource } from '../api/resource.ts';
import { apiError, badRequest, notFound } from '../api/status.ts';
import type {
  Client,
  DeleteOptions,
  GetOptions,
  KubeList,
  ListOptions,
  ObjectRef,
  Patch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../client/port.ts';
import { inProcessWatch } from './in-process-watch.ts';
import { createObject } from './registry/create.ts';
import type { UserInfo } from './registry/definition.ts';
import { deleteEach, deleteObject, validateDeleteOptions } from './registry/delete.ts';
import { listObjects } from './registry/list.ts';
import { patchObject } from './registry/patch.ts';
import { postSubresource, postToSubresource } from './registry/post.ts';
import { type Endpoint, inVersion, type Registry, toClient, toStored } from './registry/registry.ts';
import type { ObjectSchema, WriteRequest } from './registry/served-resource.ts';
import { updateObject } from './registry/update.ts';
import { MAIN, SCALE_KIND, type View, viewOf } from './registry/view.ts';
import { answerVirtual } from './registry/virtual.ts';

export interface InProcessOptions {
  readonly registry: Registry;
  readonly user: UserInfo;
  /** Of writes that name none. */
  readonly fieldManager: string;
  /** Throws 403. */
  readonly authorize: (user: UserInfo, verb: string, target: AuthorizationTarget) => void;
  readonly schemas: (kind: { group: string; version: string; kind: string }) => ObjectSchema | undefined;
  /** Aborts when the server stops: watches end then. */
  readonly stopped: AbortSignal;
}

export interface AuthorizationTarget {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

/** The Client port straight on the engine: the same checks as over HTTPS, without HTTP, TLS or JSON in between. */
export function createInProcessClient(options: InProcessOptions): Client {
  return new InProcessClient(options);
}

type At = {
  readonly namespace?: string | undefined;
  readonly name?: string;
  readonly subresource?: string | undefined;
};

class InProcessClient implements Client {
  readonly #options: InProcessOptions;

  constructor(options: InProcessOptions) {
    this.#options = options;
  }

  async get<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options: GetOptions = {},
  ): Promise<T> {
    const endpoint = await this.#enter(resource, 'get', { ...ref, subresource: options.subresource });
    const view = this.#view(endpoint, options.subresource);
    const namespace = (resource.namespaced && ref.namespace) || undefined;
    const found = endpoint.served.cache.get(namespace, ref.name);
    if (!found) throw notFound(resource, ref.name);
    return inVersion(endpoint, view).read(found.object()) as T;
  }

  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): Promise<KubeList<T>> {
    const endpoint = await this.#enter(resource, 'list', selectedBy(options));
    const page = await listObjects(endpoint.served, options);
    return {
      metadata: {
        resourceVersion: String(page.revision),
        ...(page.continue === undefined ? {} : { continue: page.continue }),
        ...(page.remainingItemCount === undefined ? {} : { remainingItemCount: page.remainingItemCount }),
      },
      items: page.items.map((item) => toClient(endpoint, item.object()) as T),
    };
  }

  watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    return inProcessWatch<T>(
      () => this.#enter(resource, 'watch', selectedBy(options)),
      options,
      AbortSignal.any([options.signal, this.#options.stopped]),
    );
  }

  async create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const { namespace } = object.metadata;
    const at = { namespace, ...(options.subresource ? { name: object.metadata.name ?? '' } : {}) };
    const endpoint = await this.#enter(resource, 'create', { ...at, subresource: options.subresource });
    if (options.subresource)
      return this.#post(
        endpoint,
        this.#request(endpoint, at, options),
        options.subresource,
        object,
      ) as Promise<T>;
    const request = this.#request(endpoint, at, options);
    const submitted = this.#submitted(endpoint, object);
    if (endpoint.served.definition.virtual)
      return (await answerVirtual(endpoint.served, request, submitted)) as T;
    const written = await createObject(endpoint.served, request, submitted);
    return toClient(endpoint, written.object) as T;
  }

  async update<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const { namespace, name = '' } = object.metadata;
    const at = { namespace, name };
    const endpoint = await this.#enter(resource, 'update', { ...at, subresource: options.subresource });
    const view = this.#view(endpoint, options.subresource);
    const { object: stored } = await updateObject(endpoint.served, this.#request(endpoint, at, options), {
      view: inVersion(endpoint, view),
      compute: () => copyJson(typed(endpoint.resource, view, object)),
      authorizeCreate: () => this.#authorize(endpoint.resource, 'create', at),
    });
    return this.#shown<T>(endpoint, view, stored);
  }

  async patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: Patch,
    options: WriteOptions = {},
  ): Promise<T> {
    const endpoint = await this.#enter(resource, 'patch', { ...ref, subresource: options.subresource });
    const view = this.#view(endpoint, options.subresource);
    const { object } = await patchObject(endpoint.served, this.#request(endpoint, ref, options), patch, {
      view: inVersion(endpoint, view),
      schema:
        view.name === 'scale' ? (this.#options.schemas(SCALE_KIND) ?? endpoint.schema) : endpoint.schema,
      authorizeCreate: () => this.#authorize(endpoint.resource, 'create', ref),
    });
    return this.#shown<T>(endpoint, view, object);
  }

  async delete<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options: DeleteOptions = {},
  ): Promise<void> {
    const endpoint = await this.#enter(resource, 'delete', ref);
    validateDeleteOptions(options);
    await deleteObject(endpoint.served, this.#request(endpoint, ref, {}), options);
  }

  async deleteCollection<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions & DeleteOptions,
  ): Promise<void> {
    const endpoint = await this.#enter(resource, 'deletecollection', selectedBy(options));
    validateDeleteOptions(options);
    const page = await listObjects(endpoint.served, options);
    await deleteEach(endpoint.served, this.#request(endpoint, options, {}), options, page.items);
  }

  async createSubresource<T extends KubeObject, B, R = B>(
    resource: Resource<T>,
    ref: ObjectRef,
    subresource: string,
    body: B,
  ): Promise<R> {
    const endpoint = await this.#enter(resource, 'create', { ...ref, subresource });
    const request = this.#request(endpoint, ref, {});
    return (await this.#post(endpoint, request, subresource, body as KubeObject)) as R;
  }

  async #post(
    endpoint: Endpoint,
    request: WriteRequest,
    name: string,
    body: KubeObject,
  ): Promise<KubeObject> {
    const post = postSubresource(endpoint.served.definition, name);
    if (!post) throw unknownPath();
    const submitted: KubeObject = {
      ...copyJson(body),
      apiVersion: apiVersionOf(post.kind),
      kind: post.kind.kind,
    };
    submitted.metadata ??= {};
    this.#options.schemas(post.kind)?.applyDefaults(submitted);
    return postToSubresource(endpoint.served, request, post, submitted);
  }

  /** What the server serves under this resource, if the user may. */
  async #enter(resource: Resource, verb: string, at: At): Promise<Endpoint> {
    this.#authorize(resource, verb, at);
    const endpoint = this.#options.registry.find(resource);
    if (!endpoint) throw unknownPath();
    await endpoint.open?.();
    return endpoint;
  }

  #authorize(resource: Resource, verb: string, { namespace = '', name = '', subresource = '' }: At): void {
    const { group, version, resource: plural } = resource;
    const target = { group, version, resource: plural, subresource, namespace, name };
    this.#options.authorize(this.#options.user, verb, target);
  }

  #view(endpoint: Endpoint, subresource = ''): View {
    const view = viewOf(endpoint.served.definition, subresource);
    if (!view) throw unknownPath();
    return view;
  }

  #submitted(endpoint: Endpoint, object: KubeObject): KubeObject {
    return toStored(endpoint, copyJson(typed(endpoint.resource, MAIN, object)));
  }

  #shown<T extends KubeObject>(endpoint: Endpoint, view: View, stored: KubeObject): T {
    return inVersion(endpoint, view).read(stored) as T;
  }

  #request(endpoint: Endpoint, at: At, options: WriteOptions): WriteRequest {
    if (endpoint.resource.namespaced && !at.namespace && at.name !== undefined)
      throw badRequest('an empty namespace may not be set when a resource name is provided');
    return {
      user: this.#options.user,
      namespace: (endpoint.resource.namespaced && at.namespace) || '',
      name: at.name ?? '',
      dryRun: options.dryRun === true,
      fieldManager: options.fieldManager ?? this.#options.fieldManager,
      fieldValidation: 'Ignore',
      resource: endpoint.resource,
      given: { fieldManager: options.fieldManager ?? this.#options.fieldManager },
      // Nobody reads headers here; what deserves a warning over HTTPS is our own doing in process.
      warn: () => {},
    };
  }
}

/** A request for everything of one name is authorized as that name, as over HTTPS. */
const selectedBy = ({ namespace, fieldSelector }: ListOptions): At => ({
  namespace,
  name: selectedName(fieldSelector),
});

function typed(resource: Resource, view: View, object: KubeObject): KubeObject {
  if (view.name === 'scale') return object;
  // In the order in which objects are stored, so that a new one need not be put in it.
  const { apiVersion: _version, kind: _kind, ...rest } = object;
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, ...rest };
}

function unknownPath() {
  return apiError('NotFound', 'the server could not find the requested resource', { details: {} });
}
