import { copyJson } from '../../api/json-value.ts';
import type { KubeObject, Resource } from '../../api/resource.ts';
import { apiVersionOf } from '../../api/resource.ts';
import type { ResourceVersionOf } from './definition.ts';
import type { ObjectSchema, ServedResource } from './served-resource.ts';
import type { View } from './view.ts';

/** One resource in one API version, as a client addresses it. */
export interface Endpoint {
  readonly served: ServedResource;
  /** In the version the client speaks. */
  readonly resource: Resource;
  readonly schema: ObjectSchema;
  /** Absent where the engine works on this version itself: bytes can be handed out as they are. */
  readonly conversion?: ResourceVersionOf<KubeObject>;
  /** To be awaited before `served.cache` is used: caches of custom resources open when somebody comes. */
  readonly open?: () => Promise<void>;
  /** For a `Warning:` header on every answer: the version is deprecated. */
  readonly warning?: string | undefined;
}

/** What is served, by group, version and resource. Grows and shrinks with custom resources. */
export class Registry {
  readonly #endpoints = new Map<string, Endpoint>();
  /** By group and resource; made anew when what is served has changed. */
  #stored: Map<string, ServedResource> | undefined;
  /** The same by whatever object names them: those of built-in kinds are asked for with every write. */
  #storedOf = new WeakMap<object, ServedResource>();
  readonly #listeners = new Set<() => void>();

  add(endpoint: Endpoint): void {
    this.#endpoints.set(keyOf(endpoint.resource), endpoint);
    this.#forgetStored();
  }
  /** Takes some away and puts others in their place, at once; then tells the listeners. */
  replace(gone: readonly Endpoint[], present: readonly Endpoint[]): void {
    for (const endpoint of gone) {
      const key = keyOf(endpoint.resource);
      if (this.#endpoints.get(key) === endpoint) this.#endpoints.delete(key);
    }
    this.#forgetStored();
    for (const endpoint of present) this.add(endpoint);
    for (const listener of this.#listeners) listener();
  }
  /** Calls when what is served changes while the server runs. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }
  find(resource: { group: string; version: string; resource: string }): Endpoint | undefined {
    return this.#endpoints.get(keyOf(resource));
  }
  /** A resource in whatever version it is stored. */
  findStored(resource: { group: string; resource: string }): ServedResource | undefined {
    const known = this.#storedOf.get(resource);
    if (known !== undefined) return known;
    this.#stored ??= this.#findStored();
    const found = this.#stored.get(`${resource.group}/${resource.resource}`);
    if (found !== undefined) this.#storedOf.set(resource, found);
    return found;
  }
  #forgetStored(): void {
    this.#stored = undefined;
    this.#storedOf = new WeakMap();
  }
  #findStored(): Map<string, ServedResource> {
    const stored = new Map<string, ServedResource>();
    for (const { resource, served, conversion } of this.#endpoints.values()) {
      const key = `${resource.group}/${resource.resource}`;
      if (!conversion && !stored.has(key)) stored.set(key, served);
    }
    return stored;
  }
  /** The other versions, and groups, under which the same objects are served. */
  equivalents(resource: Resource): readonly Resource[] {
    const own = this.find(resource)?.served;
    // Each version of a custom resource is served on its own; their definition is what they have in common.
    const definition = own?.custom?.definition;
    const isSame = ({ served }: Endpoint): boolean =>
      served === own || (definition !== undefined && served.custom?.definition === definition);
    return [...this.#endpoints.values()]
      .filter((one) => one.resource !== resource && isSame(one))
      .map((one) => one.resource);
  }
  get endpoints(): readonly Endpoint[] {
    return [...this.#endpoints.values()];
  }
  /** Whether any resource lives in this group version; an unknown resource there is a 404 of its own kind. */
  hasGroupVersion(group: string, version: string): boolean {
    return this.endpoints.some(({ resource }) => resource.group === group && resource.version === version);
  }
}

function keyOf({ group, version, resource }: { group: string; version: string; resource: string }): string {
  return `${group}/${version}/${resource}`;
}

/** An object as stored, in the client's version. May share parts with its argument. */
export function toClient(endpoint: Endpoint, stored: KubeObject): KubeObject {
  const { conversion, resource } = endpoint;
  if (!conversion) return stored;
  return { ...conversion.fromStorage(stored), apiVersion: apiVersionOf(resource), kind: resource.kind };
}

/** What a client sent, as it is stored. The result is not shared with anything. */
export function toStored(endpoint: Endpoint, object: KubeObject): KubeObject {
  const { conversion, served } = endpoint;
  if (!conversion) return object;
  const { resource } = served.definition;
  return {
    ...copyJson(conversion.toStorage(object)),
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
  };
}

/** The view as a client of another version than the stored one sees it. */
export function inVersion(endpoint: Endpoint, view: View): View {
  if (!endpoint.conversion || view.name === 'scale') return view;
  return {
    ...view,
    read: (stored) => toClient(endpoint, view.read(stored)),
    write: (submitted, old) => view.write(toStored(endpoint, submitted), old),
  };
}
