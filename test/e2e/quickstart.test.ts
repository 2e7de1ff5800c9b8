import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEDGE } from './board.ts';

/**
 * scripts/quickstart.sh on a machine that has what it needs, in a network namespace and folders of its own: a cluster
 * with a workload, and afterwards a machine as it was before.
 */
const root = resolve(import.meta.dirname, '../..');
let folder = '';
let network = '';

const enter = (argv: readonly string[], env: Record<string, string> = {}) =>
  spawnSync('nsenter', [`--net=/run/netns/${network}`, ...argv], {
    encoding: 'utf8',
    cwd: root,
    env: { ...process.env, ...env },
  });

function quickstart(...flags: string[]): string {
  const { status, stdout, stderr } = enter(['scripts/quickstart.sh', ...flags], {
    KEDGE_BINARY: KEDGE,
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
    KEDGE_DATA_DIR: join(folder, 'data'),
    KEDGE_STATE_DIR: join(folder, 'run'),
    KEDGE_WRITE_KUBECONFIG: join(folder, 'etc/kedge.yaml'),
    KEDGE_LOG_FILE: join(folder, 'quickstart.log'),
    KEDGE_CONFIG: '/dev/null',
    KEDGE_CGROUP_ROOT: network,
    KEDGE_NODE_NAME: 'board',
  });
  if (status !== 0)
    throw new Error(`quickstart.sh ${flags.join(' ')} exited with ${status}: ${stdout}${stderr}`);
  return stdout;
}

/** All that a cluster leaves on a machine if nobody cleans up, as far as it is this one's. */
function traces(): Record<string, string> {
  const ours = (text: string): string =>
    text
      .split('\n')
      .filter((line) => line.includes(folder) || line.includes(network))
      .join('\n');
  const output = (...argv: string[]): string => enter(argv).stdout;
  return {
    processes: ours(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })),
    mounts: ours(readFileSync('/proc/self/mountinfo', 'utf8')),
    controlGroups: ours(
      execFileSync('find', ['/sys/fs/cgroup', '-maxdepth', '2', '-type', 'd'], { encoding: 'utf8' }),
    ),
    interfaces: output('ip', '-brief', 'link').replaceAll(/ +/g, ' '),
    addresses: output('ip', '-brief', 'address').replaceAll(/ +/g, ' '),
    routes: output('ip', 'route', 'show', 'table', 'all'),
    rules: output('nft', 'list', 'ruleset').replaceAll(/packets \d+ bytes \d+/g, ''),
  };
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kedge-e2e-'));
  network = `kq${folder
    .slice(-6)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, 'x')}`;
  execFileSync('ip', ['netns', 'add', network]);
  for (const command of [
    'link set lo up',
    'link add eth0 type veth peer name eth0peer',
    'address add 192.168.77.2/24 dev eth0 nodad',
    'link set eth0peer up',
    'link set eth0 up',
    'route add default via 192.168.77.1',
  ]) {
    enter(['ip', ...command.split(' ')]);
  }
  writeFileSync(
    join(folder, 'other.nft'),
    'table inet other { chain input { type filter hook input priority 0; } }\n',
  );
  enter(['nft', '-f', join(folder, 'other.nft')]);
  // IPv6 finds its own addresses a moment after a link is up.
  while (!/fe80/.test(enter(['ip', '-brief', 'address', 'show', 'eth0']).stdout)) spawnSync('sleep', ['0.1']);
  spawnSync('sleep', ['2']);
});
afterAll(() => {
  quickstart('--clean');
  execFileSync('ip', ['netns', 'delete', network]);
  rmSync(folder, { recursive: true });
});

describe('scripts/quickstart.sh', () => {
  it('runs a workload, finds it running the second time, and leaves nothing behind', () => {
    const before = traces();
    expect(quickstart()).toMatch(
      /Ready [\s\S]*hello-\S+ +1\/1 +Running[\s\S]*curl http:\/\/10\.43\.\S+\n\S*Hello from Kedge, this is hello-\S+\n[\s\S]*svc\.cluster\.local\S*\nHello from Kedge/,
    );
    const since = performance.now();
    expect(quickstart()).toMatch(/already running[\s\S]*deployment.apps\/hello unchanged/);
    expect(performance.now() - since).toBeLessThan(20_000);
    const during = traces();
    for (const [what, text] of Object.entries(during)) expect(text, what).not.toBe(before[what]);

    expect(quickstart('--stop')).toMatch(/data kept/);
    const stopped = traces();
    expect(stopped).toEqual(before);
    expect(readdirSync(folder).sort()).toEqual(['data', 'etc', 'other.nft', 'quickstart.log']);
    expect(quickstart('--clean')).toMatch(/data deleted/);
    expect(readdirSync(folder)).toEqual(['other.nft']);
    expect(traces()).toEqual(before);
  });

  it('says what is wrong with a flag, and needs root', () => {
    expect(enter(['scripts/quickstart.sh', '--stopp']).stderr).toMatch(
      /--stop +take[\s\S]*error: unknown flag --stopp/,
    );
    const { status, stderr } = enter(['setpriv', '--reuid=65534', '--clear-groups', 'scripts/quickstart.sh']);
    expect([status, stderr]).toEqual([
      1,
      'error: containers and namespaces need root: sudo scripts/quickstart.sh\n',
    ]);
  });
});
