import type { Exec } from '../../lib/exec.ts';
import { errorText, type Logger } from '../../lib/log.ts';
import type { Cgroups } from '../cgroups.ts';
import type { Runtime } from '../port.ts';
import { unmountAll } from './mounts.ts';

/**
 * Ends every pod of this machine and takes away what belongs to them: processes, networks, mounts, control groups.
 * For a machine that is being cleaned; goes on after a failure and tells each. Images and logs stay.
 */
export async function removeEveryPod(options: {
  readonly runtime: Runtime;
  readonly exec: Exec;
  readonly cgroups: Cgroups;
  readonly log: Logger;
  readonly stateDir: string;
  /** Root of Kedge's control groups. */
  readonly cgroupRoot: string;
}): Promise<void> {
  const { runtime, exec, cgroups, log, stateDir, cgroupRoot } = options;
  const attempt = async (what: string, run: () => Promise<unknown>): Promise<void> => {
    await run().catch((error) => log.error(`cannot remove ${what}`, { error: errorText(error) }));
  };
  for (const { uid, namespace, name } of await runtime.listSandboxes()) {
    await attempt(`pod ${namespace}/${name}`, () => runtime.removeSandbox(uid));
  }
  await attempt(`mounts below ${stateDir}`, () => unmountAll(exec, stateDir));
  await attempt(`control groups below ${cgroupRoot}`, () => cgroups.remove(cgroupRoot));
}
