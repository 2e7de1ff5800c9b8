import { randomInt } from 'node:crypto';
import { serviceAccounts } from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { Container, Pod, PodSpec, ServiceAccount, Volume } from '../../api/types.gen.ts';
import { sleep } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './port.ts';
import { createsPod, refuse } from './refuse.ts';

const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const VOLUME_PREFIX = 'kube-api-access-';
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
/** An hour, and the odd seconds by which upstream tells its own tokens from those that users ask for. */
const TOKEN_SECONDS = 3607;
const SUFFIX_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/** Gives every pod a service account and mounts its token, the cluster's CA and the namespace (upstream's plugin). */
export function serviceAccount(): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    concerns: createsPod,
    async mutate(attributes) {
      const pod = attributes.object as Pod;
      const { spec } = pod;
      if (spec === undefined || isMirror(pod)) return;
      spec.serviceAccountName ||= 'default';
      spec.serviceAccount = spec.serviceAccountName;
      const account = await findAccount(attributes, spec.serviceAccountName);
      if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(spec);
      if (!spec.imagePullSecrets?.length && account.imagePullSecrets?.length) {
        spec.imagePullSecrets = account.imagePullSecrets.map(({ name }) => ({ ...(name && { name }) }));
      }
    },
    async validate(attributes) {
      const pod = attributes.object as Pod;
      if (isMirror(pod)) {
        checkMirror(attributes, pod);
        return;
      }
      if (pod.spec?.serviceAccountName) await findAccount(attributes, pod.spec.serviceAccountName);
    },
  };
}

const isMirror = ({ metadata }: Pod): boolean => metadata.annotations?.[MIRROR_ANNOTATION] !== undefined;

/** A pod that only mirrors what a node runs from a file must not reach for the cluster's credentials. */
function checkMirror(attributes: AdmissionAttributes, { spec }: Pod): void {
  if (spec?.serviceAccountName) throw refuse(attributes, 'a mirror pod may not reference service accounts');
  for (const { secret, projected } of spec?.volumes ?? []) {
    if (secret) throw refuse(attributes, 'a mirror pod may not reference secrets');
    if (projected?.sources?.some((source) => source.serviceAccountToken)) {
      throw refuse(attributes, 'a mirror pod may not use ServiceAccountToken volume projections');
    }
  }
}

/** A namespace made a moment ago gets its accounts from a controller: wait for them a little. */
async function findAccount(attributes: AdmissionAttributes, name: string): Promise<ServiceAccount> {
  const { client, clock, namespace } = attributes;
  const { accountAttempts, accountRetryMs } = LIMITS.admission;
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.get(serviceAccounts, { name, namespace });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // Only the account that every namespace gets is worth waiting for.
      if (name !== 'default' || attempt >= accountAttempts) {
        throw refuse(
          attributes,
          `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
        );
      }
      await sleep(clock, accountRetryMs);
    }
  }
}

function mountToken(spec: PodSpec): void {
  const present = spec.volumes?.find(({ name }) => name.startsWith(VOLUME_PREFIX));
  const volume = present ?? tokenVolume();
  let isUsed = false;
  const mountInto = (container: Container): void => {
    if (container.volumeMounts?.some(({ mountPath }) => mountPath === MOUNT_PATH)) return;
    const mount = { name: volume.name, readOnly: true, mountPath: MOUNT_PATH };
    container.volumeMounts = [...(container.volumeMounts ?? []), mount];
    isUsed = true;
  };
  for (const container of spec.initContainers ?? []) mountInto(container);
  for (const container of spec.containers ?? []) mountInto(container);
  if (isUsed && present === undefined) spec.volumes = [...(spec.volumes ?? []), volume];
}

function tokenVolume(): Volume {
  let suffix = '';
  for (let at = 0; at < 5; at++) suffix += SUFFIX_LETTERS[randomInt(SUFFIX_LETTERS.length)];
  return {
    name: `${VOLUME_PREFIX}${suffix}`,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { path: 'token', expirationSeconds: TOKEN_SECONDS } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
    },
  };
}
