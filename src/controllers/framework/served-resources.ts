import { equalJson } from '../../api/json-value.ts';
import type { KubeObject, Resource } from '../../api/resource.ts';
import { apiVersionOf } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import type { CustomResourceDefinition } from '../../api/types.gen.ts';
import type { ControllerContext } from '../port.ts';

/** What the API serves now: the built-in resources and those that definitions add while everything runs. */
export interface ServedResources {
  list(): readonly Resource<KubeObject>[];
  /** By `apps/v1` and `Deployment`, as owner references name it; another served version of the group will do. */
  find(apiVersion: string, kind: string): Resource<KubeObject> | undefined;
  onChange(visit: (resource: Resource<KubeObject>, served: boolean) => void): () => void;
  synced(): Promise<void>;
}

export function servedResources({ cluster, informers }: ControllerContext): ServedResources {
  const { group, resource } = resources.customResourceDefinitions;
  // A server without custom resources must not be asked for them for ever.
  const isServed = cluster.resources.some((one) => one.group === group && one.resource === resource);
  const definitions = isServed
    ? informers.for(resources.customResourceDefinitions, { transform: withoutSchemas })
    : undefined;
  const custom = (): Resource<KubeObject>[] =>
    definitions?.store.list().flatMap((definition) => customResource(definition) ?? []) ?? [];
  const list = (): Resource<KubeObject>[] => [...cluster.resources, ...custom()];
  return {
    list,
    find(apiVersion, kind) {
      const wanted = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
      const ofKind = list().filter((one) => one.kind === kind && one.group === wanted);
      return ofKind.find((one) => apiVersionOf(one) === apiVersion) ?? ofKind[0];
    },
    onChange(visit) {
      if (!definitions) return () => {};
      const tell = (definition: CustomResourceDefinition, old?: CustomResourceDefinition): void => {
        const now = customResource(definition);
        const was = old && customResource(old);
        const isSame = now && was && equalJson(now, was);
        if (was && !isSame) visit(was, false);
        if (now && !isSame) visit(now, true);
      };
      return definitions.onChange({
        add: (definition) => tell(definition),
        update: tell,
        delete(definition) {
          const was = customResource(definition);
          if (was) visit(was, false);
        },
      });
    },
    synced: () => definitions?.synced() ?? Promise.resolve(),
  };
}

/** Names, versions and conditions: schemas are most of a definition, and nobody here reads them. */
function withoutSchemas(definition: CustomResourceDefinition): CustomResourceDefinition {
  const { apiVersion, kind, metadata, spec, status } = definition;
  const { name, uid, resourceVersion, deletionTimestamp } = metadata;
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    spec: {
      group: spec.group,
      names: spec.names,
      scope: spec.scope,
      versions: spec.versions.map(({ name: version, served, storage }) => ({
        name: version,
        served,
        storage,
      })),
    },
    ...(status?.conditions ? { status: { conditions: status.conditions } } : {}),
  };
}

/** The resource a definition adds, in its storage version; undefined until it is established. */
function customResource(definition: CustomResourceDefinition): Resource<KubeObject> | undefined {
  const { spec, status } = definition;
  const established = (status?.conditions ?? []).some(
    ({ type, status: is }) => type === 'Established' && is === 'True',
  );
  const version =
    spec?.versions.find(({ storage, served }) => storage && served) ??
    spec?.versions.find(({ served }) => served);
  if (!spec || !established || !version) return undefined;
  return {
    group: spec.group,
    version: version.name,
    resource: spec.names.plural,
    kind: spec.names.kind,
    namespaced: spec.scope === 'Namespaced',
  };
}
