import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Makes what was written to the file survive a power cut. */
export function syncFile(path: string): void {
  sync(path, 'r+');
}

/** Makes names created, renamed or removed in the folder survive a power cut. */
export function syncFolder(path: string): void {
  sync(path, 'r');
}

function sync(path: string, flags: string): void {
  const handle = openSync(path, flags);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
