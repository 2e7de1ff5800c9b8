import { randomUUID } from 'node:crypto';
import type { KubeObject, Resource } from '../../api/resource.ts';
import { ApiError } from '../../api/status.ts';
import type { Client } from '../../client/port.ts';
import type { ResourceRequest } from '../http/request-info.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { Audit } from './audit.ts';

/** The verb of each method, and where its arguments name the object. */
const VERBS = {
  get: 'get',
  list: 'list',
  create: 'create',
  update: 'update',
  patch: 'patch',
  delete: 'delete',
  deleteCollection: 'deletecollection',
  createSubresource: 'create',
} as const;
type Method = keyof typeof VERBS;

/** The same client, every call of which is a record of its own: controllers are accountable, too. */
export function auditedClient(client: Client, user: UserInfo, audit: Audit): Client {
  return new Proxy(client, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      if (!Object.hasOwn(VERBS, property)) return value.bind(target);
      const method = property as Method;
      const call = value.bind(target) as (...args: unknown[]) => Promise<unknown>;
      return (...args: unknown[]) => recorded(() => call(...args), audit, user, requestOf(method, args));
    },
  });
}

async function recorded<T>(
  call: () => Promise<T>,
  audit: Audit,
  user: UserInfo,
  info: ResourceRequest,
): Promise<T> {
  const facts = { id: randomUUID(), uri: info.path, sourceIPs: [], userAgent: 'kedge' };
  const record = audit.begin(user, info, facts);
  if (!record) return call();
  try {
    const result = await call();
    record.complete(info.verb === 'create' ? 201 : 200, new Map());
    return result;
  } catch (error) {
    if (error instanceof ApiError) record.responseObject(error.status);
    record.complete(error instanceof ApiError ? error.status.code : 500, new Map());
    throw error;
  }
}

function requestOf(method: Method, [resource, what, third, fourth]: readonly unknown[]): ResourceRequest {
  const { group, version, resource: plural, namespaced } = resource as Resource;
  const named = (method === 'create' || method === 'update' ? (what as KubeObject).metadata : what) as
    | { readonly namespace?: string; readonly name?: string }
    | undefined;
  const namespace = namespaced ? (named?.namespace ?? '') : '';
  const name = method === 'list' || method === 'deleteCollection' ? '' : (named?.name ?? '');
  const options = method === 'patch' ? fourth : third;
  const subresource =
    method === 'createSubresource'
      ? String(third)
      : ((options as { subresource?: string } | undefined)?.subresource ?? '');
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const place = namespace === '' ? '' : `/namespaces/${namespace}`;
  const parts = [plural, ...(method === 'create' ? [] : [name]), subresource].filter((part) => part !== '');
  const path = `${root}${place}/${parts.join('/')}`;
  return {
    isResource: true,
    verb: VERBS[method],
    ...{ path, group, version, namespace, resource: plural, subresource, name },
    rest: '',
  };
}
