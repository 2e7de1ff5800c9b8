import { equalJson } from '../../api/json-value.ts';
import { type KubeObject, qualifiedResource, type Resource } from '../../api/resource.ts';
import { namespaces, pods } from '../../api/resources.gen.ts';
import { invalid, isNotFound } from '../../api/status.ts';
import type { PodSpec, PodTemplateSpec } from '../../api/types.gen.ts';
import { violations } from './pod-security-levels.ts';
import {
  existingPodWarnings,
  isStricter,
  type LevelVersion,
  labelErrors,
  levelOf,
  PREFIX,
} from './pod-security-namespace.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './port.ts';
import { refuse } from './refuse.ts';

const WORKLOADS: ReadonlySet<string> = new Set([
  'cronjobs.batch',
  'daemonsets.apps',
  'deployments.apps',
  'jobs.batch',
  'podtemplates',
  'replicasets.apps',
  'replicationcontrollers',
  'statefulsets.apps',
]);

/**
 * Holds pods to the level that labels of their namespace name (KEP-2579): `enforce` refuses pods, `warn` tells of
 * pods and of workloads whose pods would be refused. Labels that mean nothing are refused, too.
 */
export function podSecurity(): AdmissionPlugin {
  return {
    name: 'PodSecurity',
    concerns: ({ operation, resource, subresource }) =>
      (operation === 'CREATE' || operation === 'UPDATE') &&
      (subresource === '' || (subresource === 'ephemeralcontainers' && isPods(resource))) &&
      (isPods(resource) || isNamespaces(resource) || WORKLOADS.has(qualifiedResource(resource))),
    async validate(attributes) {
      if (isNamespaces(attributes.resource)) return await validateNamespace(attributes);
      const { spec, metadata } = podOf(attributes.object) ?? {};
      if (spec === undefined) return;
      const annotations = metadata?.annotations ?? {};
      const found = ({ level, version }: LevelVersion): string[] =>
        violations(spec, level, { version, annotations });
      const labels = await labelsOf(attributes);
      const isPod = isPods(attributes.resource);
      const old = attributes.oldObject && podOf(attributes.oldObject)?.spec;
      if (isPod && old && !runsAnythingNew(spec, old)) return;
      const enforced = levelOf(labels, 'enforce');
      const audited = levelOf(labels, 'audit');
      const noted = found(audited);
      if (noted.length > 0)
        attributes.annotate(
          `${PREFIX}audit-violations`,
          `would violate PodSecurity ${JSON.stringify(`${audited.level}:${audited.version}`)}: ${noted.join(', ')}`,
        );
      if (isPod) {
        attributes.annotate(`${PREFIX}enforce-policy`, `${enforced.level}:${enforced.version}`);
        const broken = found(enforced);
        if (broken.length > 0) {
          throw refuse(
            attributes,
            `violates PodSecurity ${JSON.stringify(`${enforced.level}:${enforced.version}`)}: ${broken.join(', ')}`,
          );
        }
      }
      const warned = levelOf(labels, 'warn');
      const texts = found(warned);
      if (texts.length > 0) {
        attributes.warn(
          `would violate PodSecurity ${JSON.stringify(`${warned.level}:${warned.version}`)}: ${texts.join(', ')}`,
        );
      }
    },
  };
}

/** Labels of a namespace must be understood; who makes them stricter hears of pods that they would have refused. */
async function validateNamespace(attributes: AdmissionAttributes): Promise<void> {
  const { name, object, oldObject, client, warn } = attributes;
  const labels = object?.metadata.labels ?? {};
  const errors = labelErrors(labels);
  const before = oldObject?.metadata.labels ?? {};
  if (errors.length > 0 && !(oldObject && equalJson(errors, labelErrors(before))))
    throw invalid({ group: '', kind: 'Namespace' }, name, errors);
  const enforced = levelOf(labels, 'enforce');
  if (!oldObject || !isStricter(enforced, levelOf(before, 'enforce'))) return;
  const { items } = await client.list(pods, { namespace: name });
  for (const text of existingPodWarnings(items, name, enforced)) warn(text);
}

function isNamespaces({ group, resource }: Resource): boolean {
  return group === '' && resource === 'namespaces';
}

function isPods({ group, resource }: Resource): boolean {
  return group === '' && resource === 'pods';
}

/**
 * Whether an update of a pod is one to look at: a container more, or another image. Gates, tolerations and the like do
 * not make a pod more dangerous.
 */
function runsAnythingNew(spec: PodSpec, old: PodSpec): boolean {
  for (const list of ['containers', 'initContainers'] as const) {
    const [now = [], before = []] = [spec[list], old[list]];
    if (now.length !== before.length) return true;
    if (now.some(({ image }, at) => image !== before[at]?.image)) return true;
  }
  const known = new Map(old.ephemeralContainers?.map(({ name, image }) => [name, image]));
  return (
    spec.ephemeralContainers?.some(({ name, image }) => !known.has(name) || known.get(name) !== image) ??
    false
  );
}

interface MaybeWorkload extends KubeObject {
  spec?: PodSpec & { template?: PodTemplateSpec; jobTemplate?: { spec?: { template?: PodTemplateSpec } } };
  template?: PodTemplateSpec;
}

function podOf(object: KubeObject | undefined): PodTemplateSpec | undefined {
  const { spec, template, metadata } = (object ?? { metadata: {} }) as MaybeWorkload;
  if (object?.kind === 'Pod' || spec?.containers) return { metadata, ...(spec && { spec }) };
  return template ?? spec?.template ?? spec?.jobTemplate?.spec?.template;
}

async function labelsOf({
  client,
  namespace,
}: AdmissionAttributes): Promise<Readonly<Record<string, string>>> {
  try {
    return (await client.get(namespaces, { name: namespace })).metadata.labels ?? {};
  } catch (error) {
    if (isNotFound(error)) return {};
    throw error;
  }
}
