import { builtInType, customType } from '../../api/cel/admission/kind-types.ts';
import type { TypedKind } from '../../api/cel/admission/type-warnings.ts';
import type { CelType } from '../../api/cel/types.ts';
import * as resources from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { CustomResourceDefinition } from '../../api/types.gen.ts';
import type { ServedResources } from '../framework/served-resources.ts';
import type { ControllerContext } from '../port.ts';
import type { NamedResource } from './plan.ts';

/** Finds the types of what policies are about. Schemas of custom resources are read when they are needed. */
export class KindFinder {
  readonly #context: ControllerContext;
  readonly #served: ServedResources;

  constructor(context: ControllerContext, served: ServedResources) {
    this.#context = context;
    this.#served = served;
  }

  /** The kind of a resource; `undefined` where nobody serves it. */
  async ofResource({ group, version, resource }: NamedResource): Promise<TypedKind | undefined> {
    const builtIn = this.#context.cluster.resources.find(
      (one) => one.group === group && one.resource === resource,
    );
    if (builtIn) {
      const type = builtInType({ group, version, kind: builtIn.kind });
      return type && { group, version, kind: builtIn.kind, type };
    }
    const kind = this.#served.list().find((one) => one.group === group && one.resource === resource)?.kind;
    const type = kind === undefined ? undefined : await this.#customType({ group, version, resource });
    return kind !== undefined && type ? { group, version, kind, type } : undefined;
  }

  /** The type of parameters of this kind, where it is known. */
  async ofKind(apiVersion: string, kind: string): Promise<CelType | undefined> {
    const [version = '', group = ''] = apiVersion.split('/').reverse();
    const builtIn = builtInType({ group, version, kind });
    if (builtIn) return builtIn;
    const found = this.#served.find(apiVersion, kind);
    return found && (await this.#customType({ group, version, resource: found.resource }));
  }

  async #customType({ group, version, resource }: NamedResource): Promise<CelType | undefined> {
    const { customResourceDefinitions } = resources;
    const definition = await this.#context.client
      .get<CustomResourceDefinition>(customResourceDefinitions, { name: `${resource}.${group}` })
      .catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
    const found = definition?.spec.versions.find((one) => one.name === version && one.served);
    const schema = found?.schema?.openAPIV3Schema;
    return definition && schema && customType(schema, definition.spec.names.kind);
  }
}
