import * as resources from '../../api/resources.gen.ts';
import { isAlreadyExists } from '../../api/status.ts';
import type { ConfigMap, Namespace } from '../../api/types.gen.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { isNamespaceTerminating } from '../framework/pod-control.ts';
import type { Controller } from '../port.ts';

const NAME = 'kube-root-ca.crt';
const DESCRIPTION =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the ' +
  'internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

/** The ConfigMap as it has to be written, or undefined when it is right already. Pure. */
function planRootCA(
  namespace: Namespace | undefined,
  existing: ConfigMap | undefined,
  rootCA: string,
): ConfigMap | undefined {
  if (!namespace || namespace.metadata.deletionTimestamp) return undefined;
  const data = { 'ca.crt': rootCA };
  const isCurrent =
    existing?.data?.['ca.crt'] === rootCA &&
    Object.keys(existing.data).length === 1 &&
    existing.metadata.annotations?.['kubernetes.io/description'] !== undefined;
  if (isCurrent) return undefined;
  return {
    ...existing,
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      ...(existing?.metadata ?? { name: NAME, namespace: namespace.metadata.name ?? '' }),
      annotations: { ...existing?.metadata.annotations, 'kubernetes.io/description': DESCRIPTION },
    },
    data,
  };
}

/** Publishes the authorities that pods verify the API server with in every namespace. */
export const rootCAController: Controller = {
  name: 'root-ca-certificate-publisher',
  start(context) {
    const namespaces = context.informers.for(resources.namespaces);
    const published = context.informers.for(resources.configMaps, { fieldSelector: `metadata.name=${NAME}` });
    const loop = startControlLoop({
      context,
      name: 'root-ca-certificate-publisher',
      informers: [namespaces, published],
      reconcile: async (name) => {
        const existing = published.store.get(name, NAME);
        const wanted = planRootCA(namespaces.store.get(undefined, name), existing, context.cluster.rootCA);
        if (!wanted) return undefined;
        if (existing) await context.client.update(resources.configMaps, wanted);
        else
          await context.client.create(resources.configMaps, wanted).catch((error: unknown) => {
            if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
          });
        return undefined;
      },
    });
    loop.enqueueAll(namespaces);
    loop.onAny(published, ({ metadata }) => loop.add(metadata.namespace ?? ''));
    return loop.stop;
  },
};
