import { selectorFromObject } from '../../api/labels.ts';
import * as resources from '../../api/resources.gen.ts';
import { keyOf, splitKey } from '../../client/informer.ts';
import { controllerOf } from '../../client/object-store.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { Expectations, STALE_STORE_MS } from '../framework/expectations.ts';
import { claim, planClaims } from '../framework/owners.ts';
import type { Controller } from '../port.ts';
import { DeploymentSync } from './sync.ts';

/** Rolls a Deployment's template out through ReplicaSets. */
export const deploymentController: Controller = {
  name: 'deployment-controller',
  start(context) {
    const deployments = context.informers.for(resources.deployments);
    const sets = context.informers.for(resources.replicaSets);
    const pods = context.informers.for(resources.pods);
    const expectations = new Expectations(sets.store);
    const own = { ...context, events: context.events.for('deployment-controller') };
    const loop = startControlLoop({
      context,
      name: 'deployment-controller',
      informers: [deployments, sets, pods],
      concurrency: 5,
      reconcile: async (key) => {
        const { namespace = '', name } = splitKey(key);
        const deployment = deployments.store.get(namespace, name);
        if (!deployment) {
          expectations.forget(key);
          return undefined;
        }
        if (!expectations.met(key)) return STALE_STORE_MS;
        const selector = selectorFromObject(deployment.spec?.selector);
        if (selector.isEverything) {
          const message = 'This deployment is selecting all pods. A non-empty selector is required.';
          own.events.event(deployment, 'Warning', 'SelectingAll', message);
          return undefined;
        }
        const { uid = '' } = deployment.metadata;
        const candidates = [...sets.store.ownedBy(uid), ...sets.store.uncontrolled(namespace)];
        const claimed = await claim({
          client: context.client,
          owner: deployment,
          ownerResource: resources.deployments,
          resource: resources.replicaSets,
          claims: planClaims(deployment, selector, candidates),
        });
        const options = { context: own, deployment, sets: claimed, pods: pods.store, expectations };
        return await new DeploymentSync(options).run();
      },
    });
    loop.enqueueAll(deployments);
    loop.onAny(sets, (set, old) => {
      for (const one of old ? [set, old] : [set]) {
        const owner = controllerOf(one);
        if (owner?.kind === 'Deployment') loop.add(`${one.metadata.namespace}/${owner.name}`);
      }
      if (controllerOf(set)) return;
      for (const deployment of deployments.store.list(set.metadata.namespace))
        if (selectorFromObject(deployment.spec?.selector).matches(set.metadata.labels))
          loop.add(keyOf(deployment));
    });
    // Recreate waits for the last old pod to go; nothing else here looks at pods.
    loop.onStop(
      pods.onChange({
        delete(pod) {
          const { namespace } = pod.metadata;
          const set = sets.store.get(namespace, controllerOf(pod)?.name ?? '');
          const owner = set && controllerOf(set);
          if (owner?.kind !== 'Deployment') return;
          const deployment = deployments.store.get(namespace, owner.name);
          if (deployment?.spec?.strategy?.type === 'Recreate') loop.add(keyOf(deployment));
        },
      }),
    );
    return loop.stop;
  },
};
