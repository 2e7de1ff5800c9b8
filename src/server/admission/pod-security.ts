import { equalJson } from '../../api/json-value.ts';
import { type KubeObject, qualifiedResource, type Resource } from '../../api/resource.ts';
import { namespaces } from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { PodSpec, PodTemplateSpec } from '../../api/types.gen.ts';
import { type Level, violations } from './pod-security-checks.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './port.ts';
import { refuse } from './refuse.ts';

const PREFIX = 'pod-security.kubernetes.io/';
const LEVELS: ReadonlySet<string> = new Set(['privileged', 'baseline', 'restricted']);
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
 * pods and of workloads whose pods would be refused.
 */
export function podSecurity(): AdmissionPlugin {
  return {
    name: 'PodSecurity',
    concerns: ({ operation, resource, subresource }) =>
      (operation === 'CREATE' || operation === 'UPDATE') &&
      (subresource === '' || (subresource === 'ephemeralcontainers' && isPods(resource))) &&
      (isPods(resource) || WORKLOADS.has(qualifiedResource(resource))),
    async validate(attributes) {
      const spec = podSpecOf(attributes.object);
      if (spec === undefined) return;
      const labels = await labelsOf(attributes);
      const isPod = isPods(attributes.resource);
      const old = attributes.oldObject && podSpecOf(attributes.oldObject);
      // Gates, tolerations and the like do not make a pod more dangerous: only what is checked counts.
      if (isPod && old && equalJson(violations(spec, 'restricted'), violations(old, 'restricted'))) return;
      const enforced = levelOf(labels, 'enforce');
      const audited = levelOf(labels, 'audit');
      const noted = violations(spec, audited.level);
      if (noted.length > 0)
        attributes.annotate(
          `${PREFIX}audit-violations`,
          `would violate PodSecurity ${JSON.stringify(`${audited.level}:${audited.version}`)}: ${noted.join(', ')}`,
        );
      if (isPod) {
        attributes.annotate(`${PREFIX}enforce-policy`, `${enforced.level}:${enforced.version}`);
        const found = violations(spec, enforced.level);
        if (found.length > 0) {
          throw refuse(
            attributes,
            `violates PodSecurity ${JSON.stringify(`${enforced.level}:${enforced.version}`)}: ${found.join(', ')}`,
          );
        }
      }
      const warned = levelOf(labels, 'warn');
      const texts = violations(spec, warned.level);
      if (texts.length > 0) {
        attributes.warn(
          `would violate PodSecurity ${JSON.stringify(`${warned.level}:${warned.version}`)}: ${texts.join(', ')}`,
        );
      }
    },
  };
}

function isPods({ group, resource }: Resource): boolean {
  return group === '' && resource === 'pods';
}

interface MaybeWorkload extends KubeObject {
  spec?: PodSpec & { template?: PodTemplateSpec; jobTemplate?: { spec?: { template?: PodTemplateSpec } } };
  template?: PodTemplateSpec;
}

function podSpecOf(object: KubeObject | undefined): PodSpec | undefined {
  const { spec, template } = (object ?? { metadata: {} }) as MaybeWorkload;
  if (object?.kind === 'Pod' || spec?.containers) return spec;
  return (template ?? spec?.template ?? spec?.jobTemplate?.spec?.template)?.spec;
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

/** A level nobody knows is taken as the strictest one, as upstream does. */
function levelOf(
  labels: Readonly<Record<string, string>>,
  mode: 'enforce' | 'warn' | 'audit',
): { level: Level; version: string } {
  const wanted = labels[`${PREFIX}${mode}`];
  const version = labels[`${PREFIX}${mode}-version`] ?? 'latest';
  if (wanted === undefined || wanted === '') return { level: 'privileged', version };
  return { level: LEVELS.has(wanted) ? (wanted as Level) : 'restricted', version };
}
