import type { Container, EphemeralContainer, Secret } from '../../api/types.gen.ts';
import { errorText } from '../../lib/log.ts';
import type { Image } from '../../runtime/port.ts';
import { environment } from '../env/environment.ts';
import type { DownwardContext } from '../env/fields.ts';
import { ImageError } from '../images/image-manager.ts';
import { containerConfig, imageName } from './container-config.ts';
import { ConfigError } from './security.ts';
import type { PodAction, PodEvent, PodState } from './state.ts';
import type { WorkerDeps } from './worker-deps.ts';

export type Tell = (warning: boolean, reason: string, message: string, container?: string) => void;

type StartAction = Extract<PodAction, { type: 'start' }>;

/** Image, configuration, process: one start from beginning to end. Never rejects; the answer says how it went. */
export async function startContainer(
  deps: WorkerDeps,
  state: PodState,
  action: StartAction,
  downward: DownwardContext,
  tell: Tell,
): Promise<PodEvent> {
  const { name, id } = action;
  const record = state.containers.find((entry) => entry.name === name);
  const failed = (
    stage: 'image' | 'config' | 'run',
    reason: string,
    message: string,
    retryMs?: number,
  ): PodEvent => ({
    type: 'startFailed',
    name,
    id,
    stage,
    reason,
    message,
    ...(retryMs === undefined ? {} : { retryMs }),
  });
  if (record === undefined) return failed('config', 'CreateContainerConfigError', 'no such container');
  // What the node cannot give is not given by a restart either.
  const kept = state.resize ? record.resources : undefined;
  const container = kept ? { ...record.spec, resources: kept } : record.spec;
  const about: Tell = (warning, reason, message) => tell(warning, reason, message, name);
  let image: Image;
  try {
    image = await deps.images.ensure(state.pod, container, await pullSecrets(deps, state), about);
  } catch (error) {
    if (error instanceof ImageError) return failed('image', error.reason, error.message, error.retryMs);
    about(
      true,
      'InspectFailed',
      `Failed to inspect image ${JSON.stringify(container.image)}: ${errorText(error)}`,
    );
    return failed('image', 'ImageInspectError', errorText(error));
  }
  let config: Awaited<ReturnType<typeof containerConfig>>;
  try {
    // At once unless the agent was restarted after it had made the sandbox.
    await deps.isolation?.ensure(state.pod, state.ips);
    config = await configure(deps, state, action, container, image, downward);
  } catch (error) {
    const message = errorText(error);
    about(true, 'Failed', `Error: ${message}`);
    return failed(
      'config',
      error instanceof ConfigError ? error.reason : 'CreateContainerConfigError',
      message,
    );
  }
  try {
    if (action.clean) await deps.runtime.removeContainer(id);
    const started = await deps.runtime.startContainer(config);
    about(false, 'Created', 'Container created');
    about(false, 'Started', 'Container started');
    return {
      type: 'started',
      name,
      id,
      startedAtMs: started.startedAtMs ?? deps.clock.now(),
      image: imageName(image, container.image ?? ''),
      imageId: image.digests[0] ?? image.id,
      resources: container.resources ?? {},
    };
  } catch (error) {
    const message = errorText(error);
    about(true, 'Failed', `Error: ${message}`);
    return failed('run', 'RunContainerError', message);
  }
}

async function configure(
  deps: WorkerDeps,
  state: PodState,
  action: StartAction,
  container: Container | EphemeralContainer,
  image: Image,
  downward: DownwardContext,
): ReturnType<typeof containerConfig> {
  const { pod } = state;
  const namespace = pod.metadata.namespace ?? '';
  const variables = await environment({
    pod,
    container: container as Container,
    services: deps.services(),
    downward,
    configMap: (name) => deps.objects.configMap(namespace, name),
    secret: (name) => deps.objects.secret(namespace, name),
  });
  const shared = pidNamespaceOf(state, container);
  return containerConfig({
    pod,
    container,
    id: action.id,
    attempt: action.attempt,
    image,
    variables,
    dirs: deps.volumes.dirs(pod),
    volume: (name) => deps.volumes.mounted(pod, name),
    memoryCapacityBytes: deps.settings().memoryCapacityBytes,
    ...(shared === undefined ? {} : { pidNamespaceOf: shared }),
    exec: deps.exec,
  });
}

/** The container whose processes this one sees: a debugger's target, or the pod's first with a shared namespace. */
function pidNamespaceOf(state: PodState, container: Container | EphemeralContainer): string | undefined {
  const target = 'targetContainerName' in container ? container.targetContainerName : undefined;
  const running = state.containers.filter(
    (record) => record.phase.is === 'running' && record.name !== container.name,
  );
  if (target) return running.find((record) => record.name === target)?.id;
  if (state.pod.spec?.shareProcessNamespace !== true) return undefined;
  return running[0]?.id;
}

async function pullSecrets(deps: WorkerDeps, state: PodState): Promise<readonly Secret[]> {
  const namespace = state.pod.metadata.namespace ?? '';
  const found: Secret[] = [];
  for (const { name = '' } of state.pod.spec?.imagePullSecrets ?? []) {
    const secret = await deps.objects.secret(namespace, name).catch(() => undefined);
    if (secret !== undefined) found.push(secret);
  }
  return found;
}
