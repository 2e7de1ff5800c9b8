import type { Exec } from '../lib/exec.ts';
import { errorText, type Logger } from '../lib/log.ts';

/** Whoever started this process and waits until it works: systemd, for a unit of `Type=notify`. */
export interface ServiceManager {
  /** Says that the service works. Nothing to do where nobody waits; never rejects. */
  ready(): Promise<void>;
}

/**
 * Takes the service manager's address out of `env`, so that no child has it: containerd would use it to say that
 * *it* works. Node cannot send to a datagram socket of the file system, so systemd's own program does, once a start.
 */
export function takeServiceManager(
  env: NodeJS.ProcessEnv,
  { exec, log }: { readonly exec: Exec; readonly log: Logger },
): ServiceManager {
  const socket = env['NOTIFY_SOCKET'];
  delete env['NOTIFY_SOCKET'];
  if (socket === undefined || socket === '') return { ready: async () => {} };
  return {
    async ready() {
      try {
        await exec.run(['systemd-notify', '--ready'], { env: { NOTIFY_SOCKET: socket } });
      } catch (error) {
        log.error('systemd does not learn that the service works', { error: errorText(error) });
      }
    },
  };
}
