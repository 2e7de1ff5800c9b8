import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Board, KEDGE } from './board.ts';

/** What a server without an agent must survive. Every test has its own board. */
const boards: Board[] = [];
function newBoard(flags: readonly string[] = []): Board {
  const board = Board.create({ agent: false, flags });
  boards.push(board);
  return board;
}
afterEach(async () => {
  for (const board of boards.splice(0)) await board.remove();
});

async function failure(
  board: Board,
  flags: readonly string[] = [],
): Promise<{ code: number; stderr: string }> {
  return await board.run([KEDGE, 'server', ...board.serverFlags, ...flags], { timeoutMs: 20_000 });
}

describe('starting', () => {
  it('refuses a second server on the same data directory and leaves the first alone', async () => {
    const board = newBoard();
    await board.start();
    const second = await failure(board, [
      '--https-listen-port',
      '6444',
      '--state-dir',
      join(board.folder, 'run2'),
    ]);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/kedge: .*(in use|another).*/);
    expect((await board.kubectl(['get', '--raw', '/readyz'])).stdout).toBe('ok');
  });

  it('names the port that is taken', async () => {
    const board = newBoard();
    await board.start();
    const second = await failure(board, [
      '--data-dir',
      join(board.folder, 'data2'),
      '--state-dir',
      join(board.folder, 'run2'),
    ]);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/port 6443 .*in use/);
  });

  it('says which directory it cannot use', async () => {
    const board = newBoard();
    writeFileSync(join(board.folder, 'file'), '');
    const { code, stderr } = await failure(board, ['--data-dir', join(board.folder, 'file/data')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/kedge: .*file\/data/);
  });

  it('refuses a misspelt flag with exit code 2 and the right name', async () => {
    const board = newBoard();
    const { code, stderr } = await failure(board, ['--node-nam', 'x']);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'kedge: unknown flag --node-nam; did you mean --node-name? (see kedge server --help)\n',
    });
  });
});

describe('a full disk', () => {
  it('refuses writes with a Status, keeps serving reads, and recovers when there is room', async () => {
    const board = newBoard();
    mkdirSync(board.dataDir, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', board.dataDir]);
    try {
      await board.start();
      await board.ok(['create', 'configmap', 'before', '--from-literal=a=1']);
      writeFileSync(join(board.folder, 'big'), 'x'.repeat(700_000));
      let refused = '';
      for (let n = 0; n < 60 && refused === ''; n++) {
        const { code, stderr } = await board.kubectl([
          'create',
          'configmap',
          `big-${n}`,
          `--from-file=${join(board.folder, 'big')}`,
        ]);
        if (code !== 0) refused = stderr;
      }
      expect(refused).toMatch(/full|space/);
      expect(await board.ok(['get', 'configmap', 'before', '-o', 'jsonpath={.data.a}'])).toBe('1');
      execFileSync('mount', ['-o', 'remount,size=64m', board.dataDir]);
      await board.ok(['create', 'configmap', 'after']);
      await board.stop();
      await board.start();
      expect(await board.ok(['get', 'configmap', 'after', 'before', '-o', 'name'])).toBe(
        'configmap/after\nconfigmap/before\n',
      );
    } finally {
      await board.stop('SIGKILL');
      execFileSync('umount', ['-l', board.dataDir]);
    }
  });
});

describe('kill -9 under load', () => {
  it('keeps every acknowledged write and lets a watch resume', async () => {
    const board = newBoard();
    await board.start();
    await board.ok(['create', 'configmap', 'mark']);
    const since = await board.ok(['get', 'configmap', 'mark', '-o', 'jsonpath={.metadata.resourceVersion}']);
    const acknowledged: string[] = [];
    const writers = Array.from({ length: 6 }, async (_, writer) => {
      for (let n = 0; n < 500; n++) {
        const name = `w${writer}-${n}`;
        if ((await board.kubectl(['create', 'configmap', name])).code !== 0) return;
        acknowledged.push(name);
      }
    });
    await board.until('some writes', () => acknowledged.length > 30);
    await board.stop('SIGKILL');
    await Promise.all(writers);
    await board.start();
    const after = (await board.ok(['get', 'configmaps', '-o', 'name'])).split('\n');
    for (const name of acknowledged) expect(after).toContain(`configmap/${name}`);
    const events = await board.ok([
      'get',
      '--raw',
      `/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=2&resourceVersion=${since}`,
    ]);
    const seen = events
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; object: { metadata: { name: string } } });
    for (const name of acknowledged) {
      expect(
        seen.filter(({ type, object }) => type === 'ADDED' && object.metadata.name === name),
      ).toHaveLength(1);
    }
  });
});

describe('requests that make no sense', () => {
  it('end in a Status and change nothing', async () => {
    const board = newBoard();
    await board.start();
    const token = (await board.ok(['create', 'token', 'default'])).trim();
    const post = async (
      body: string,
      type = 'application/json',
      path = '/api/v1/namespaces/default/configmaps',
    ) => {
      writeFileSync(join(board.folder, 'body'), body);
      const { stdout } = await board.run([
        'curl',
        '-sk',
        '--max-time',
        '10',
        '-X',
        'POST',
        '-H',
        `Content-Type: ${type}`,
        '-H',
        `Authorization: Bearer ${token}`,
        '--data-binary',
        `@${join(board.folder, 'body')}`,
        `https://127.0.0.1:6443${path}`,
      ]);
      return JSON.parse(stdout) as { kind: string; code: number; reason: string; message: string };
    };
    expect(await post('{}')).toMatchObject({ kind: 'Status', code: 403 });
    await board.ok([
      'create',
      'clusterrolebinding',
      'all',
      '--clusterrole=cluster-admin',
      '--serviceaccount=default:default',
    ]);
    expect(await post('{"metadata":')).toMatchObject({ kind: 'Status', code: 400, reason: 'BadRequest' });
    expect(await post('a: [', 'application/yaml')).toMatchObject({
      kind: 'Status',
      code: 400,
      reason: 'BadRequest',
    });
    expect(await post('x', 'image/png')).toMatchObject({
      kind: 'Status',
      code: 415,
      reason: 'UnsupportedMediaType',
    });
    expect(await post(`{"data":{"a":"${'x'.repeat(4_000_000)}"}}`)).toMatchObject({
      kind: 'Status',
      code: 413,
    });
    expect(await post('{"metadata":{"name":"x"},"data":{"a":1}}')).toMatchObject({
      kind: 'Status',
      code: 400,
    });
    expect(await post('{"metadata":{"name":"X!"}}')).toMatchObject({
      kind: 'Status',
      code: 422,
      reason: 'Invalid',
    });
    expect(
      await post('{"metadata":{"name":"x"}}', 'application/json', '/api/v1/namespaces/default/nonsense'),
    ).toMatchObject({ code: 404 });
    expect(await board.ok(['get', 'configmaps', '-o', 'name'])).toBe('configmap/kube-root-ca.crt\n');
    await board.ok(['create', 'configmap', 'stale', '--from-literal=a=1']);
    const object = await board.ok(['get', 'configmap', 'stale', '-o', 'json']);
    await board.ok(['label', 'configmap', 'stale', 'a=b']);
    const { code, stderr } = await board.kubectl(['replace', '-f', '-'], { input: object });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /Operation cannot be fulfilled on configmaps "stale": the object has been modified/,
    );
  });
});
