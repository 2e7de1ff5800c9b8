import type { Activation } from '../../../api/cel/environment.ts';
import type { Authorize } from '../../../api/cel/library/authorizer.ts';
import type { KubeObject, Resource } from '../../../api/resource.ts';
import { namespaces } from '../../../api/resources.gen.ts';
import { ApiError, notFound } from '../../../api/status.ts';
import type { Namespace, ParamKind, ParamRef } from '../../../api/types.gen.ts';
import type { Endpoint } from '../../registry/registry.ts';
import { accessOf } from '../expressions/access.ts';
import { admissionVariables } from '../expressions/inputs.ts';
import type { AdmissionAttributes, AdmissionContext } from '../port.ts';
import type { Surroundings } from '../webhook/invocation.ts';
import { isNamespaces } from '../webhook/rules.ts';
import { ObjectVersions } from '../webhook/shown-objects.ts';
import { collectParams, ParamError, paramEndpoint } from './params.ts';
import type { ResourceMatch } from './resource-match.ts';

type Fail = (error: Error) => void;

/** One request as policies see it; what several of them need is found once. */
export class PolicyRequest {
  readonly attributes: AdmissionAttributes;
  readonly versions: ObjectVersions;
  readonly #context: AdmissionContext;
  readonly #surroundings: Surroundings;
  readonly #authorize: Authorize;
  #namespace: Namespace | undefined;

  constructor(context: AdmissionContext, attributes: AdmissionAttributes, surroundings: Surroundings) {
    this.#context = context;
    this.attributes = attributes;
    this.#surroundings = surroundings;
    this.versions = new ObjectVersions(attributes, context);
    this.#authorize = accessOf(context.authorizer, attributes.user);
  }

  annotate(key: string, value: string): void {
    this.attributes.annotate(key, value);
  }

  /** The version in which the rules take the request; `undefined`: they do not, or it cannot be said. */
  matches(match: ResourceMatch, fail: Fail): Resource | undefined {
    const resource = match.covered(this.attributes, this.#surroundings);
    if (!resource) return undefined;
    try {
      return match.selects(this.attributes, this.#surroundings) ? resource : undefined;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fail(error);
      return undefined;
    }
  }

  paramEndpoint(kind: ParamKind | undefined, fail: Fail): Endpoint | undefined | 'unknown' {
    if (kind === undefined) return undefined;
    try {
      return paramEndpoint(this.#context.registry, kind);
    } catch (error) {
      if (!(error instanceof ParamError)) throw error;
      fail(error);
      return 'unknown';
    }
  }

  async params(
    endpoint: Endpoint | undefined,
    ref: ParamRef | undefined,
    fail: Fail,
  ): Promise<readonly (KubeObject | undefined)[]> {
    try {
      return await collectParams(endpoint, ref, this.attributes.namespace);
    } catch (error) {
      if (!(error instanceof ParamError)) throw error;
      fail(error);
      return [];
    }
  }

  /** What expressions see. Throws 404 where the namespace of the request is not there. */
  async variables(resource: Resource, params: KubeObject | undefined): Promise<Activation> {
    const { attributes, versions } = this;
    return admissionVariables({
      attributes,
      objects: await versions.in(resource),
      resource,
      kind: versions.kindIn(resource),
      requestKind: versions.kindIn(attributes.requested),
      namespace: this.#namespaceOf(),
      params,
      authorize: this.#authorize,
    });
  }

  #namespaceOf(): Namespace | undefined {
    const { namespace: name, resource } = this.attributes;
    if (name === '' || isNamespaces(resource)) return undefined;
    if (this.#namespace) return this.#namespace;
    const found = this.#surroundings.namespaces?.get(undefined, name);
    if (!found) throw notFound(namespaces, name);
    this.#namespace = found.object() as Namespace;
    return this.#namespace;
  }
}
