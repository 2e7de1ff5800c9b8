import * as resources from '../../api/resources.gen.ts';
import { isAlreadyExists } from '../../api/status.ts';
import type { Namespace, ServiceAccount } from '../../api/types.gen.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { isNamespaceTerminating } from '../framework/pod-control.ts';
import type { Controller } from '../port.ts';

/** The account every namespace must have is missing. Pure. */
function planDefaultServiceAccount(
  namespace: Namespace | undefined,
  existing: ServiceAccount | undefined,
): ServiceAccount | undefined {
  if (!namespace || namespace.metadata.deletionTimestamp || existing) return undefined;
  if (namespace.status?.phase === 'Terminating') return undefined;
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace: namespace.metadata.name ?? '' },
  };
}

/** Gives every namespace its `default` ServiceAccount, again when somebody deletes it. */
export const serviceAccountController: Controller = {
  name: 'serviceaccount-controller',
  start(context) {
    const namespaces = context.informers.for(resources.namespaces);
    const accounts = context.informers.for(resources.serviceAccounts);
    const loop = startControlLoop({
      context,
      name: 'serviceaccount-controller',
      informers: [namespaces, accounts],
      reconcile: async (name) => {
        const wanted = planDefaultServiceAccount(
          namespaces.store.get(undefined, name),
          accounts.store.get(name, 'default'),
        );
        if (!wanted) return undefined;
        await context.client.create(resources.serviceAccounts, wanted).catch((error: unknown) => {
          if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
        });
        return undefined;
      },
    });
    loop.enqueueAll(namespaces);
    loop.onStop(
      accounts.onChange({
        delete({ metadata: { name, namespace = '' } }) {
          if (name === 'default') loop.add(namespace);
        },
      }),
    );
    return loop.stop;
  },
};
