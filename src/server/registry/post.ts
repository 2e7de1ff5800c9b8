import { copyJson } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';
import { notFound } from '../../api/status.ts';
import { admitMutating, admitValidating, strategyContext } from './admit.ts';
import type { ResourceDefinition, Subresource } from './definition.ts';
import { matchNamespace } from './metadata.ts';
import type { ServedResource, WriteRequest } from './served-resource.ts';
import { updateObject } from './update.ts';

/** A subresource that is POSTed to, such as `pods/binding`, `pods/eviction`, `serviceaccounts/token`. */
export type PostSubresource = Extract<Subresource<KubeObject>, { create: unknown }>;

export function postSubresource(definition: ResourceDefinition, name: string): PostSubresource | undefined {
  const found = definition.subresources?.find((one) => one.name === name && 'create' in one);
  return found as PostSubresource | undefined;
}

/** Runs a POSTed subresource: admission, then what the definition does with its parent. Returns the answer's body. */
export async function postToSubresource(
  served: ServedResource,
  request: WriteRequest,
  subresource: PostSubresource,
  body: KubeObject,
): Promise<KubeObject> {
  const { definition, cache } = served;
  const namespace = request.namespace || undefined;
  matchNamespace(body.metadata, definition.resource.namespaced, request.namespace);
  const admission = { operation: 'CREATE', subresource: subresource.name, object: body } as const;
  await admitMutating(served, request, admission);
  await admitValidating(served, request, admission);
  return subresource.create({
    name: request.name,
    namespace: request.namespace,
    body,
    context: strategyContext(served, request),
    async parent() {
      const found = cache.get(namespace, request.name);
      if (!found) throw notFound(definition.resource, request.name);
      return found.object();
    },
    async modify(change) {
      const { object } = await updateObject(served, request, {
        view: {
          name: subresource.name,
          read: (stored) => stored,
          write: (submitted) => submitted,
          prepare: () => {},
          validate: () => [],
          keepsGeneration: true,
          ignored: () => [],
        },
        compute: (old) => change(copyJson(old!)),
      });
      return object;
    },
  });
}
