import { selectorFromObject } from '../../../api/labels.ts';
import type { KubeObject } from '../../../api/resource.ts';
import type { ParamKind, ParamRef } from '../../../api/types.gen.ts';
import { type Endpoint, type Registry, toClient } from '../../registry/registry.ts';
import type { CachedObject } from '../../watchcache/port.ts';

/** The parameters cannot be had: `failurePolicy` decides what follows. */
export class ParamError extends Error {
  override readonly name = 'ParamError';
}

/** What serves a policy's parameters. Throws `ParamError` where nobody does. */
export function paramEndpoint(registry: Registry, { apiVersion = '', kind = '' }: ParamKind): Endpoint {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const found = registry.endpoints.find(
    ({ resource }) => resource.kind === kind && resource.group === group && resource.version === version,
  );
  if (found) return found;
  const shown = `${group === '' ? '' : group}/${version}, Kind=${kind}`;
  throw new ParamError(`failed to find resource referenced by paramKind: '${shown}'`);
}

/**
 * The parameters that a binding asks for, one for each evaluation: `undefined` where the policy takes none. Throws
 * `ParamError` in upstream's words.
 */
export async function collectParams(
  endpoint: Endpoint | undefined,
  ref: ParamRef | undefined,
  requestNamespace: string,
): Promise<readonly (KubeObject | undefined)[]> {
  if (endpoint === undefined || ref === undefined) return [undefined];
  await endpoint.open?.();
  const found = findParams(endpoint, ref, requestNamespace);
  if (found.length === 0 && ref.parameterNotFoundAction === 'Deny')
    throw new ParamError('no params found for policy binding with `Deny` parameterNotFoundAction');
  return Promise.all(found.map(async (one) => paramObject(endpoint, one)));
}

async function paramObject(endpoint: Endpoint, cached: CachedObject): Promise<KubeObject> {
  return toClient(endpoint, cached.object());
}

function findParams(endpoint: Endpoint, ref: ParamRef, requestNamespace: string): readonly CachedObject[] {
  const { cache } = endpoint.served;
  const namespace = paramNamespace(endpoint, ref, requestNamespace);
  if (ref.name) {
    if (ref.selector) throw new ParamError('paramRef.name and paramRef.selector are mutually exclusive');
    const found = cache.get(namespace, ref.name);
    return found ? [found] : [];
  }
  if (!ref.selector) throw new ParamError('one of name or selector must be provided');
  const selector = selectorFromObject(ref.selector);
  return cache.list({ namespace, matches: ({ labels }) => selector.matches(labels) });
}

function paramNamespace(endpoint: Endpoint, ref: ParamRef, requestNamespace: string): string | undefined {
  if (!endpoint.resource.namespaced) {
    if (ref.namespace)
      throw new ParamError('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
    return undefined;
  }
  const namespace = ref.namespace || requestNamespace;
  if (namespace !== '') return namespace;
  throw new ParamError(
    'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources',
  );
}
