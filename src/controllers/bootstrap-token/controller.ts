import * as resources from '../../api/resources.gen.ts';
import { isNotFound } from '../../api/status.ts';
import type { Secret } from '../../api/types.gen.ts';
import { splitKey } from '../../client/informer.ts';
import { LIMITS } from '../../lib/limits.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import type { Controller } from '../port.ts';

const TYPE = 'bootstrap.kubernetes.io/token';
const NAMESPACE = 'kube-system';

/** When the token in a Secret ends; never without an expiration, at once with one that cannot be read. Pure. */
export function expirationMs(secret: Secret): number {
  const encoded = secret.data?.['expiration'];
  if (encoded === undefined || encoded === '') return Number.POSITIVE_INFINITY;
  const at = Date.parse(Buffer.from(encoded, 'base64').toString('utf8'));
  return Number.isNaN(at) ? Number.NEGATIVE_INFINITY : at;
}

/** Deletes bootstrap tokens once they have expired. */
export const tokenCleanerController: Controller = {
  name: 'token-cleaner-controller',
  start(context) {
    const { client, clock } = context;
    const tokens = context.informers.for(resources.secrets, {
      namespace: NAMESPACE,
      fieldSelector: `type=${TYPE}`,
    });
    const loop = startControlLoop({
      context,
      name: 'tokencleaner',
      informers: [tokens],
      reconcile: async (key) => {
        const { namespace, name } = splitKey(key);
        const secret = tokens.store.get(namespace, name);
        if (!secret) return undefined;
        const leftMs = expirationMs(secret) - clock.now();
        if (leftMs > 0)
          return Number.isFinite(leftMs) ? Math.min(leftMs, LIMITS.controllers.tokenLookMs) : undefined;
        const preconditions = { uid: secret.metadata.uid ?? '' };
        await client.delete(resources.secrets, { namespace, name }, { preconditions }).catch((error) => {
          if (!isNotFound(error)) throw error;
        });
        return undefined;
      },
    });
    loop.enqueueAll(tokens);
    return loop.stop;
  },
};
