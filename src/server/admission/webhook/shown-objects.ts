import { copyJson, equalJson, type JsonObject } from '../../../api/json-value.ts';
import { apiVersionOf, type KubeObject, type Resource } from '../../../api/resource.ts';
import { apiError } from '../../../api/status.ts';
import { applyDefaults } from '../../registry/create.ts';
import { type Endpoint, type Registry, toClient, toStored } from '../../registry/registry.ts';
import type { ObjectSchema } from '../../registry/served-resource.ts';
import { SCALE_KIND } from '../../registry/view.ts';
import type { AdmissionAttributes } from '../port.ts';
import type { Kind } from './review.ts';

/** Both states as one webhook is to see them. Read-only. */
export interface ShownObjects {
  readonly object?: KubeObject;
  readonly oldObject?: KubeObject;
}

export interface VersionsOptions {
  readonly registry: Registry;
  readonly schemas: (kind: Kind) => ObjectSchema | undefined;
}

/**
 * The objects of one request in whatever version a webhook asks for, and the way back for what a webhook changed.
 * Made only when there is a webhook to call.
 */
export class ObjectVersions {
  readonly #attributes: AdmissionAttributes;
  readonly #options: VersionsOptions;
  readonly #shown = new Map<string, Promise<ShownObjects>>();

  constructor(attributes: AdmissionAttributes, options: VersionsOptions) {
    this.#attributes = attributes;
    this.#options = options;
  }

  /** The kind of `object` in that version: Scale, Binding, PodExecOptions where the subresource has its own. */
  kindIn({ group, version, kind }: Resource): Kind {
    if (this.#attributes.shown) return SCALE_KIND;
    return this.#bodyKind() ?? { group, version, kind };
  }

  in(resource: Resource): Promise<ShownObjects> {
    const key = apiVersionOf(resource);
    let shown = this.#shown.get(key);
    if (!shown) {
      shown = this.#show(resource);
      this.#shown.set(key, shown);
    }
    return shown;
  }

  /** Takes over what a webhook made of the object in that version: fitted to its schema, with defaults. True: it differs. */
  async replace(resource: Resource, patched: JsonObject): Promise<boolean> {
    const { object, shown } = this.#attributes;
    if (!object) throw new Error('there is no object to change');
    const { object: before } = await this.in(resource);
    const kind = this.kindIn(resource);
    const endpoint = this.#endpoint(resource);
    const schema = this.#isWhole() ? endpoint.schema : this.#options.schemas(kind);
    const changed = schema ? schema.conform(patched, 'Ignore').object : (patched as unknown as KubeObject);
    changed.apiVersion = apiVersionOf(kind);
    changed.kind = kind.kind;
    schema?.applyDefaults(changed);
    if (equalJson(before, changed)) return false;
    if (shown) replaceContent(object, shown.write(changed, object));
    else if (this.#isWhole()) {
      const own = await this.#toOwn(endpoint, changed);
      applyDefaults(this.#own.served, own);
      replaceContent(object, own);
    } else replaceContent(object, changed);
    this.#shown.clear();
    return true;
  }

  async #show(resource: Resource): Promise<ShownObjects> {
    const { object, oldObject } = this.#attributes;
    const [now, old] = await Promise.all([
      object && this.#one(resource, object),
      oldObject && this.#one(resource, oldObject),
    ]);
    return { ...(now ? { object: now } : {}), ...(old ? { oldObject: old } : {}) };
  }

  async #one(resource: Resource, stored: KubeObject): Promise<KubeObject> {
    const { shown } = this.#attributes;
    if (shown) return shown.read(stored);
    if (!this.#isWhole()) return stored;
    const object = await this.#fromOwn(this.#endpoint(resource), stored);
    return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
  }

  /** As the engine has the objects of this request. */
  get #own(): Endpoint {
    return this.#endpoint(this.#attributes.requested);
  }

  /** In another version. Custom resources have an engine for each of theirs, and meet in the stored one. */
  async #fromOwn(target: Endpoint, object: KubeObject): Promise<KubeObject> {
    const { served } = this.#own;
    if (target.served === served) return toClient(target, object);
    const stored = (await served.storage?.write(object)) ?? object;
    return (await target.served.storage?.read(stored)) ?? stored;
  }

  async #toOwn(source: Endpoint, object: KubeObject): Promise<KubeObject> {
    const { served } = this.#own;
    if (source.served === served) return toStored(source, object);
    const stored = (await source.served.storage?.write(object)) ?? object;
    return copyJson((await served.storage?.read(stored)) ?? stored);
  }

  #endpoint(resource: Resource): Endpoint {
    const endpoint = this.#options.registry.find(resource);
    if (endpoint) return endpoint;
    const text = `Internal error occurred: unable to convert to ${apiVersionOf(resource)}, Resource=${resource.resource}: unknown kind`;
    throw apiError('InternalError', text);
  }

  #isWhole(): boolean {
    return !this.#attributes.shown && this.#bodyKind() === undefined;
  }

  /** What is POSTed to a subresource, or the options of a connection, are of a kind of their own. */
  #bodyKind(): Kind | undefined {
    const { operation, subresource, object } = this.#attributes;
    if (operation !== 'CONNECT' && (operation !== 'CREATE' || subresource === '')) return undefined;
    const { apiVersion = '', kind = '' } = object ?? {};
    const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
    return { group: group ?? '', version: version ?? '', kind };
  }
}

function replaceContent(target: KubeObject, source: KubeObject): void {
  const old = target as unknown as JsonObject;
  for (const key of Object.keys(old)) if (!Object.hasOwn(source, key)) delete old[key];
  Object.assign(target, source);
}
