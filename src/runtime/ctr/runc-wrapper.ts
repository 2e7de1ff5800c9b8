import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Starts a container's process with stdout and stderr on one pipe. The shim copies two pipes to one log file and closes
 * that file when the first of them ends, so that the last words on stderr, often the reason of a crash, could be lost
 * (seen in about one of thirty containers); and two pipes have no common order. Only `create` starts a container;
 * `exec` keeps its streams apart. `exec` leaves no process behind.
 */
const SCRIPT = `#!/bin/sh
# Written by kedge. Runs runc; a new container's stderr goes where its stdout goes.
for word; do
  if [ "$word" = create ]; then exec runc "$@" 2>&1; fi
done
exec runc "$@"
`;

/** Puts the script in place if it is not there as it should be. */
export async function ensureRuncWrapper(path: string): Promise<void> {
  if ((await readFile(path, 'utf8').catch(() => '')) === SCRIPT) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, SCRIPT);
  await chmod(`${path}.new`, 0o755);
  await rename(`${path}.new`, path);
}
