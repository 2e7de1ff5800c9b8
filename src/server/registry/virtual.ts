import type { KubeObject } from '../../api/resource.ts';
import { invalid } from '../../api/status.ts';
import { strategyContext } from './admit.ts';
import { applyDefaults } from './create.ts';
import { matchNamespace } from './metadata.ts';
import type { ServedResource, WriteRequest } from './served-resource.ts';

/** Answers a POST to a kind that is never stored (TokenReview, SubjectAccessReview family). */
export async function answerVirtual(
  served: ServedResource,
  request: WriteRequest,
  body: KubeObject,
): Promise<KubeObject> {
  const { definition, schema } = served;
  matchNamespace(body.metadata, definition.resource.namespaced, request.namespace);
  applyDefaults(served, body);
  const errors = [...schema.validate(body), ...(definition.strategy?.validate?.(body) ?? [])];
  if (errors.length > 0) throw invalid(definition.resource, body.metadata.name ?? '', errors);
  return definition.virtual!.create({
    body,
    namespace: request.namespace,
    context: strategyContext(served, request),
  });
}
