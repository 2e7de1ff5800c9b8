import { readFileSync } from 'node:fs';
import { getRawAsset, isSea } from 'node:sea';

/**
 * Bytes of a file that ships with Kedge: anything in an `assets/` folder under `src`, named by its path from
 * there, such as `api/openapi/assets/v3.json.br`. In the packaged executable the bytes are mapped from the file
 * itself and cost no heap; never change them.
 */
export function readAsset(name: string): Uint8Array {
  if (isSea()) return new Uint8Array(getRawAsset(name));
  return readFileSync(new URL(`../${name}`, import.meta.url));
}
