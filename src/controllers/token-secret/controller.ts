import * as resources from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { Secret, ServiceAccount } from '../../api/types.gen.ts';
import { keyOf, splitKey } from '../../client/informer.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import type { Controller } from '../port.ts';

const TYPE = 'kubernetes.io/service-account-token';
const ACCOUNT_NAME = 'kubernetes.io/service-account.name';
const ACCOUNT_UID = 'kubernetes.io/service-account.uid';

export type TokenSecretPlan = 'keep' | 'delete' | 'fill';

/** What to do with a token Secret, given the account it names. Pure. */
function planTokenSecret(
  secret: Secret,
  account: ServiceAccount | undefined,
  rootCA: string,
): TokenSecretPlan {
  if (secret.type !== TYPE || secret.metadata.deletionTimestamp) return 'keep';
  const uid = secret.metadata.annotations?.[ACCOUNT_UID];
  // A token of an account that is gone must not come back to life with another of its name.
  if (!account || (uid && uid !== account.metadata.uid)) return 'delete';
  const { token, namespace, 'ca.crt': ca } = secret.data ?? {};
  const isFull = token && namespace && ca === Buffer.from(rootCA).toString('base64') && uid;
  return isFull ? 'keep' : 'fill';
}

/** Fills Secrets of type `kubernetes.io/service-account-token`, and removes those of accounts that are gone. */
export const tokenSecretController: Controller = {
  name: 'tokens-controller',
  start(context) {
    const { client, cluster, informers } = context;
    const secrets = informers.for(resources.secrets, { fieldSelector: `type=${TYPE}` });
    const accounts = informers.for(resources.serviceAccounts);
    const loop = startControlLoop({
      context,
      name: 'tokens-controller',
      informers: [secrets, accounts],
      reconcile: async (key) => {
        const { namespace = '', name } = splitKey(key);
        const secret = secrets.store.get(namespace, name);
        const serviceAccountName = secret?.metadata.annotations?.[ACCOUNT_NAME] ?? '';
        if (!secret || serviceAccountName === '') return undefined;
        const account = await client
          .get(resources.serviceAccounts, { namespace, name: serviceAccountName })
          .catch((error: unknown) => {
            if (isNotFound(error)) return undefined;
            throw error;
          });
        const action = planTokenSecret(secret, account, cluster.rootCA);
        if (action === 'delete') {
          const preconditions = { uid: secret.metadata.uid ?? '' };
          await client.delete(resources.secrets, { namespace, name }, { preconditions });
        }
        if (action !== 'fill') return undefined;
        const serviceAccountUid = account?.metadata.uid ?? '';
        const claims = { namespace, serviceAccountName, serviceAccountUid, secretName: name };
        const encode = (text: string): string => Buffer.from(text).toString('base64');
        const { metadata } = secret;
        await client.update(resources.secrets, {
          ...secret,
          metadata: {
            ...metadata,
            annotations: { ...metadata.annotations, [ACCOUNT_UID]: serviceAccountUid },
          },
          data: {
            ...secret.data,
            'ca.crt': encode(cluster.rootCA),
            namespace: encode(namespace),
            token: secret.data?.['token'] || encode(await cluster.signLegacyToken(claims)),
          },
        });
        return undefined;
      },
    });
    loop.enqueueAll(secrets);
    loop.onAny(accounts, ({ metadata }) => {
      for (const secret of secrets.store.list(metadata.namespace))
        if (secret.metadata.annotations?.[ACCOUNT_NAME] === metadata.name) loop.add(keyOf(secret));
    });
    return loop.stop;
  },
};
