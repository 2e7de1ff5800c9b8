import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Nobody but the owner may even list where secrets lie. */
export async function ensureSecretDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await ensureMode(path, 0o700);
}

/** Reads a file; `undefined` when there is none. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new Error(`cannot read ${path}`, { cause: error });
  }
}

/**
 * Writes a file so that after a power cut either the old or the new content is there, whole, and nobody could read it
 * in between (temporary file, fsync, rename, fsync of the directory).
 */
export async function writeFileAtomic(path: string, content: string, mode = 0o600): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.tmp`);
  await rm(temporary, { force: true });
  try {
    await writeSynced(temporary, content, mode);
    await rename(temporary, path);
  } catch (error) {
    // On a full disk half a file would only take away what is left.
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  const folder = await open(directory, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeSynced(path: string, content: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(content);
    // The umask may have taken bits away that were asked for.
    await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The folder a file goes into, with the usual rights where it has to be made. */
export async function ensureParent(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
}

export async function ensureMode(path: string, mode: number): Promise<void> {
  if (((await stat(path)).mode & 0o777) !== mode) await chmod(path, mode);
}
