import type { KubeObject } from '../../api/resource.ts';
import type { ResourceDefinition } from '../registry/definition.ts';
import { deployment } from './apps/deployment.ts';
import { replicaSet } from './apps/replica-set.ts';
import { configMap } from './core/config-map.ts';
import { namespace } from './core/namespace.ts';
import { node } from './core/node.ts';
import { pod } from './core/pod.ts';
import { secret } from './core/secret.ts';
import { service } from './core/service.ts';
import { serviceAccount } from './core/service-account.ts';

/** Every built-in resource. Adding one is a file and a line here. */
export const RESOURCES: readonly ResourceDefinition[] = [
  erase(configMap),
  erase(namespace),
  erase(node),
  erase(pod),
  erase(secret),
  erase(service),
  erase(serviceAccount),
  erase(deployment),
  erase(replicaSet),
];

/**
 * Forgets which kind a definition is of. Sound because the engine only ever hands a definition objects that passed
 * that kind's own schema.
 */
function erase<T extends KubeObject>(definition: ResourceDefinition<T>): ResourceDefinition {
  return definition as unknown as ResourceDefinition;
}
