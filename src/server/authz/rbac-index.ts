import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '../../api/types.gen.ts';
import type { UserInfo } from '../registry/definition.ts';

export type RbacObject = Role | ClusterRole | RoleBinding | ClusterRoleBinding;
export type RbacResource = 'roles' | 'clusterroles' | 'rolebindings' | 'clusterrolebindings';

/** One subject's share of one binding. */
export interface Grant {
  readonly binding: RoleBinding | ClusterRoleBinding;
  readonly subject: Subject;
}

/**
 * Roles and bindings, ready for the question "what may this user do": bindings by subject, roles by name. Follows
 * changes one object at a time; a question touches only what concerns the user.
 */
export class RbacIndex {
  readonly #rules = new Map<string, readonly PolicyRule[]>();
  readonly #bindings = new Map<string, RoleBinding | ClusterRoleBinding>();
  /** Scope (`''` for the cluster) and subject, to binding key, to grant. */
  readonly #grants = new Map<string, Map<string, Grant>>();

  put(resource: RbacResource, object: RbacObject): void {
    const { namespace = '', name = '' } = object.metadata;
    if (resource === 'roles' || resource === 'clusterroles') {
      this.#rules.set(`${namespace}/${name}`, (object as Role).rules ?? []);
      return;
    }
    this.delete(resource, namespace, name);
    const binding = object as RoleBinding | ClusterRoleBinding;
    const key = `${namespace}/${name}`;
    this.#bindings.set(key, binding);
    for (const subject of binding.subjects ?? []) {
      const id = grantKey(namespace, subjectKey(subject, namespace));
      const grants = this.#grants.get(id) ?? new Map<string, Grant>();
      if (!grants.has(key)) grants.set(key, { binding, subject });
      this.#grants.set(id, grants);
    }
  }

  delete(resource: RbacResource, namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    if (resource === 'roles' || resource === 'clusterroles') {
      this.#rules.delete(key);
      return;
    }
    const binding = this.#bindings.get(key);
    if (!binding) return;
    this.#bindings.delete(key);
    for (const subject of binding.subjects ?? []) {
      const id = grantKey(namespace, subjectKey(subject, namespace));
      const grants = this.#grants.get(id);
      grants?.delete(key);
      if (grants?.size === 0) this.#grants.delete(id);
    }
  }

  /** Forgets every object of one resource, before it is listed anew. */
  clear(resource: RbacResource): void {
    const isCluster = resource.startsWith('cluster');
    const table = resource.endsWith('bindings') ? this.#bindings : this.#rules;
    for (const key of [...table.keys()]) {
      if (key.startsWith('/') !== isCluster) continue;
      const [namespace = '', ...name] = key.split('/');
      this.delete(resource, namespace, name.join('/'));
    }
  }

  /** Rules of a role; a namespace of `''` means a ClusterRole. `undefined`: there is none. */
  rules(namespace: string, name: string): readonly PolicyRule[] | undefined {
    return this.#rules.get(`${namespace}/${name}`);
  }

  /** What bindings of a scope (`''` for the cluster) give a user. */
  *grants(scope: string, user: UserInfo): Iterable<Grant> {
    yield* this.#grants.get(grantKey(scope, `u:${user.name}`))?.values() ?? [];
    for (const group of user.groups) yield* this.#grants.get(grantKey(scope, `g:${group}`))?.values() ?? [];
  }

  /** The rules a binding stands for; `undefined` when its role does not exist. */
  rulesOf(binding: RoleBinding | ClusterRoleBinding): readonly PolicyRule[] | undefined {
    const { kind, name } = binding.roleRef;
    return this.rules(kind === 'Role' ? (binding.metadata.namespace ?? '') : '', name);
  }
}

const grantKey = (scope: string, subject: string): string => `${scope}\n${subject}`;

/** Service accounts are found by the user name they sign in with. */
function subjectKey(subject: Subject, bindingNamespace: string): string {
  if (subject.kind === 'Group') return `g:${subject.name}`;
  if (subject.kind === 'User') return `u:${subject.name}`;
  return `u:system:serviceaccount:${subject.namespace ?? bindingNamespace}:${subject.name}`;
}
