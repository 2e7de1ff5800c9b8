import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../lib/log.ts';
import type { Runtime } from '../../runtime/port.ts';

export interface ImportOptions {
  /** Archives `*.tar` in it are loaded; `.loaded.json` beside them remembers which, by size and time. */
  readonly folder: string;
  readonly runtime: Runtime;
  readonly log: Logger;
}

/** Loads the archives that are new or changed since they were last loaded, or whose images are gone. */
export async function importImages({ folder, runtime, log }: ImportOptions): Promise<void> {
  if (!existsSync(folder)) return;
  const record = join(folder, '.loaded.json');
  const loaded = readRecord(record);
  let changed = false;
  for (const name of readdirSync(folder)
    .filter((one) => one.endsWith('.tar'))
    .sort()) {
    const { size, mtimeMs } = statSync(join(folder, name));
    const stamp = `${size}/${mtimeMs}`;
    const known = loaded[name];
    if (known?.stamp === stamp && (await allHere(runtime, known.images))) continue;
    try {
      const images = await runtime.importImages(join(folder, name));
      loaded[name] = { stamp, images };
      changed = true;
      log.info('loaded images', { archive: name, images: images.join(',') });
    } catch (error) {
      log.error('cannot load an image archive', { archive: name, error });
    }
  }
  if (changed) writeFileSync(record, JSON.stringify(loaded), { mode: 0o644 });
}

type Loaded = Record<string, { stamp: string; images: readonly string[] }>;

function readRecord(path: string): Loaded {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Loaded;
  } catch {
    // None yet, or torn by a power cut: loading again is harmless.
    return {};
  }
}

async function allHere(runtime: Runtime, images: readonly string[]): Promise<boolean> {
  for (const image of images) if ((await runtime.image(image)) === undefined) return false;
  return true;
}
