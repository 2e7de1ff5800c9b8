import type { Activation } from '../../../api/cel/environment.ts';
import type { KubeObject, Resource } from '../../../api/resource.ts';
import { namespaces } from '../../../api/resources.gen.ts';
import { EMPTY_CACHE } from '../../registry/empty-cache.ts';
import { accessOf } from '../expressions/access.ts';
import { admissionVariables } from '../expressions/inputs.ts';
import type { AdmissionAttributes, AdmissionContext } from '../port.ts';
import { refuse } from '../refuse.ts';
import { type Hook, Hooks } from './hooks.ts';
import { coveredVersion, type Invocation, isExempt, isSelected, type Surroundings } from './invocation.ts';
import type { ObjectVersions } from './shown-objects.ts';

/** The webhooks of one kind of configuration, and which of them a request concerns. */
export class WebhookSource {
  readonly #hooks: Hooks;
  readonly #context: AdmissionContext;
  readonly #surroundings: Surroundings;

  constructor(context: AdmissionContext, configurations: Resource<KubeObject>) {
    this.#context = context;
    const { cacheOf } = context;
    this.#hooks = new Hooks(cacheOf(configurations) ?? EMPTY_CACHE);
    this.#surroundings = {
      namespaces: cacheOf(namespaces),
      equivalents: (resource) => context.registry.equivalents(resource),
    };
  }

  get hooks(): readonly Hook[] {
    return this.#hooks.all;
  }

  /** Whether the rules of any webhook cover the request. Where there are no webhooks this costs nothing. */
  mayConcern(attributes: AdmissionAttributes): boolean {
    const hooks = this.#hooks.all;
    if (hooks.length === 0 || isExempt(attributes.resource) || !this.#context.isStarted()) return false;
    return hooks.some((hook) => coveredVersion(hook, attributes, this.#surroundings) !== undefined);
  }

  /** `undefined`: the webhook does not want to be asked. Throws what keeps that from being known. */
  async invocation(
    hook: Hook,
    attributes: AdmissionAttributes,
    versions: ObjectVersions,
  ): Promise<Invocation | undefined> {
    const resource = coveredVersion(hook, attributes, this.#surroundings);
    if (!resource || !isSelected(hook, attributes, this.#surroundings)) return undefined;
    if (!hook.conditions) return { hook, resource };
    const outcome = hook.conditions.match(await this.#variables(resource, attributes, versions));
    if (outcome.error !== undefined) throw refuse(attributes, outcome.error);
    return outcome.matches ? { hook, resource } : undefined;
  }

  /** What match conditions see. */
  async #variables(
    resource: Resource,
    attributes: AdmissionAttributes,
    versions: ObjectVersions,
  ): Promise<Activation> {
    return admissionVariables({
      attributes,
      objects: await versions.in(resource),
      resource,
      kind: versions.kindIn(resource),
      requestKind: versions.kindIn(attributes.requested),
      authorize: accessOf(this.#context.authorizer, attributes.user),
    });
  }
}
