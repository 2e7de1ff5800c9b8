import type { ConfigMap, Container, EnvVarSource, Pod, Secret, Service } from '../../api/types.gen.ts';
import { ConfigError } from '../pod/security.ts';
import { expand } from './expand.ts';
import { type DownwardContext, fieldValue, resourceValue } from './fields.ts';
import { linkedServices, serviceVariables } from './service-links.ts';

export interface EnvironmentInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly services: readonly Service[];
  readonly downward: DownwardContext;
  /** undefined: the object does not exist. Rejects when that cannot be known. */
  readonly configMap: (name: string) => Promise<ConfigMap | undefined>;
  readonly secret: (name: string) => Promise<Secret | undefined>;
}

export interface Variable {
  readonly name: string;
  readonly value: string;
}

/**
 * The environment of a container: service links, then `envFrom`, then `env` with `$(NAME)` expanded against what came
 * before; later names win. Rejects with `ConfigError` and upstream's words where a reference does not resolve.
 */
export async function environment(input: EnvironmentInput): Promise<readonly Variable[]> {
  const { pod, container } = input;
  const namespace = pod.metadata.namespace ?? '';
  const links = serviceVariables(
    linkedServices(input.services, namespace, pod.spec?.enableServiceLinks ?? true),
  );
  const result = new Map<string, string>();
  for (const source of container.envFrom ?? []) {
    const prefix = source.prefix ?? '';
    for (const [key, value] of await fromSource(input, source)) result.set(`${prefix}${key}`, value);
  }
  for (const entry of container.env ?? []) {
    const value =
      entry.valueFrom === undefined
        ? expand(entry.value ?? '', (name) => result.get(name) ?? links.get(name))
        : await resolve(input, entry.valueFrom, namespace);
    if (value !== undefined) result.set(entry.name, value);
  }
  // The user's own variables win over those of Services.
  for (const [name, value] of links) if (!result.has(name)) result.set(name, value);
  return [...result].map(([name, value]) => ({ name, value }));
}

type EnvFrom = NonNullable<Container['envFrom']>[number];

async function fromSource(input: EnvironmentInput, source: EnvFrom): Promise<[string, string][]> {
  if (source.configMapRef !== undefined) {
    const { name = '', optional } = source.configMapRef;
    const found = await input.configMap(name);
    if (found === undefined && optional !== true) throw new ConfigError(`configmap "${name}" not found`);
    return Object.entries(found?.data ?? {});
  }
  if (source.secretRef === undefined) return [];
  const { name = '', optional } = source.secretRef;
  const found = await input.secret(name);
  if (found === undefined && optional !== true) throw new ConfigError(`secret "${name}" not found`);
  return Object.entries(found?.data ?? {}).map(([key, value]) => [key, decode(value)]);
}

async function resolve(
  input: EnvironmentInput,
  source: EnvVarSource,
  namespace: string,
): Promise<string | undefined> {
  if (source.fieldRef !== undefined) {
    const value = fieldValue(input.pod, source.fieldRef.fieldPath, input.downward);
    if (value === undefined) throw new ConfigError(`unsupported fieldPath: ${source.fieldRef.fieldPath}`);
    return value;
  }
  if (source.resourceFieldRef !== undefined) {
    const { containerName, resource } = source.resourceFieldRef;
    const all = [...(input.pod.spec?.initContainers ?? []), ...(input.pod.spec?.containers ?? [])];
    const container =
      containerName === undefined || containerName === ''
        ? input.container
        : all.find(({ name }) => name === containerName);
    if (container === undefined) throw new ConfigError(`container ${containerName} not found`);
    const value = resourceValue(source.resourceFieldRef, container, input.downward);
    if (value === undefined) throw new ConfigError(`unsupported container resource : ${resource}`);
    return value;
  }
  if (source.configMapKeyRef !== undefined) {
    const { name = '', key, optional } = source.configMapKeyRef;
    const found = await input.configMap(name);
    const value = found?.data?.[key];
    if (value !== undefined || optional === true) return value;
    if (found === undefined) throw new ConfigError(`configmap "${name}" not found`);
    throw new ConfigError(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
  }
  if (source.secretKeyRef !== undefined) {
    const { name = '', key, optional } = source.secretKeyRef;
    const found = await input.secret(name);
    const value = found?.data?.[key];
    if (value !== undefined) return decode(value);
    if (optional === true) return undefined;
    if (found === undefined) throw new ConfigError(`secret "${name}" not found`);
    throw new ConfigError(`couldn't find key ${key} in Secret ${namespace}/${name}`);
  }
  if (source.fileKeyRef !== undefined) throw new ConfigError('fileKeyRef is not supported by this node');
  return undefined;
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
