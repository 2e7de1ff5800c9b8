import { compareVersions } from '../../api/discovery/resource.ts';
import { parseJsonPath } from '../../api/json-path.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  CustomResourceSubresourceScale,
} from '../../api/types.gen.ts';
import { findCondition, isConditionTrue, storageVersionOf } from '../resources/apiextensions/crd.ts';

/** What a CustomResourceDefinition makes the server serve, without its schemas: those are large and rarely asked for. */
export interface CustomType {
  /** Of the definition. */
  readonly name: string;
  readonly uid: string;
  /** Moves with its spec. */
  readonly generation: number;
  /** Of the definition as a whole. */
  readonly revision: number;
  readonly group: string;
  /** As accepted, which may be others than wanted. */
  readonly names: CustomResourceDefinitionNames;
  readonly namespaced: boolean;
  readonly storageVersion: string;
  readonly versions: readonly CustomVersion[];
  readonly convertsByWebhook: boolean;
  readonly isTerminating: boolean;
}

export interface CustomVersion {
  readonly name: string;
  readonly served: boolean;
  readonly warning: string | undefined;
  readonly hasStatus: boolean;
  readonly scale: CustomResourceSubresourceScale | undefined;
  readonly columns: readonly CustomResourceColumnDefinition[];
  readonly selectableFields: Readonly<Record<string, (object: object) => string>>;
}

/** `undefined` for a definition whose names nobody accepted yet. */
export function customTypeOf(definition: CustomResourceDefinition): CustomType | undefined {
  const { metadata, spec, status } = definition;
  const isServed = isConditionTrue(definition, 'NamesAccepted') || isConditionTrue(definition, 'Established');
  const names = status?.acceptedNames;
  if (!isServed || !names?.plural || !names.kind || !names.singular || !names.listKind) return undefined;
  return {
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    // Deletion moves it once more, the spec stays.
    generation: (metadata.generation ?? 0) - (metadata.deletionTimestamp ? 1 : 0),
    revision: Number(metadata.resourceVersion ?? 0),
    group: spec.group,
    names,
    namespaced: spec.scope === 'Namespaced',
    storageVersion: storageVersionOf(definition),
    versions: spec.versions.map((version) => customVersion(definition, version)),
    convertsByWebhook: spec.conversion?.strategy === 'Webhook',
    isTerminating:
      metadata.deletionTimestamp !== undefined || findCondition(definition, 'Terminating')?.status === 'True',
  };
}

function customVersion(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): CustomVersion {
  const { name, served, deprecated, deprecationWarning, subresources } = version;
  return {
    name,
    served,
    warning: deprecated ? (deprecationWarning ?? defaultWarning(definition, name)) : undefined,
    hasStatus: subresources?.status !== undefined,
    scale: subresources?.scale,
    columns: version.additionalPrinterColumns?.length ? version.additionalPrinterColumns : [AGE],
    selectableFields: Object.fromEntries(
      (version.selectableFields ?? []).map(({ jsonPath }) => [
        jsonPath.replace(/^\./, ''),
        fieldReader(jsonPath),
      ]),
    ),
  };
}

const AGE: CustomResourceColumnDefinition = {
  name: 'Age',
  type: 'date',
  description: 'Time since the object was created.',
  jsonPath: '.metadata.creationTimestamp',
};

function fieldReader(jsonPath: string): (object: object) => string {
  const path = parseJsonPath(jsonPath);
  return (object) => {
    const [value] = path.find(object);
    return value === undefined || value === null ? '' : String(value);
  };
}

/** Points to the best version that is not deprecated, as upstream. */
function defaultWarning({ spec }: CustomResourceDefinition, version: string): string {
  const { group, names, versions } = spec;
  const text = `${group}/${version} ${names.kind} is deprecated`;
  const [better] = versions
    .filter((one) => one.served && !one.deprecated && compareVersions(one.name, version) < 0)
    .map(({ name }) => name)
    .sort(compareVersions);
  return better === undefined ? text : `${text}; use ${group}/${better} ${names.kind}`;
}
