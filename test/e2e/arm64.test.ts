import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Board, KEDGE } from './board.ts';

/**
 * The executable for a Raspberry Pi. On a machine of another kind it runs in an emulator, with the libraries of
 * Debian's cross packages; containers are left out, since the shims that would run them are of this machine's kind.
 */
const EXECUTABLE = join(dirname(KEDGE), 'kedge-linux-arm64');
const LIBRARIES = '/usr/aarch64-linux-gnu';

let folder = '';
let board: Board;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kedge-arm64-'));
  const binary = process.arch === 'arm64' ? EXECUTABLE : join(folder, 'kedge');
  // The settings of the allocator are there from the start: the emulator cannot replace itself by an ARM file.
  const emulator = `#!/bin/sh\nexport MALLOC_ARENA_MAX=1\nexec ${emulatorPath()} -L ${LIBRARIES} ${EXECUTABLE} "$@"\n`;
  if (binary !== EXECUTABLE) writeFileSync(binary, emulator, { mode: 0o755 });
  board = Board.create({ agent: false, binary });
});
afterAll(async () => {
  await board.remove();
  rmSync(folder, { recursive: true });
});

function emulatorPath(): string {
  const found = ['qemu-aarch64-static', 'qemu-aarch64']
    .map((name) => join('/usr/bin', name))
    .find(existsSync);
  if (found === undefined) throw new Error('apt install qemu-user-static');
  return found;
}

describe('the arm64 executable', () => {
  it('is one', () => {
    expect(execFileSync('file', ['--brief', EXECUTABLE], { encoding: 'utf8' })).toMatch(
      /^ELF 64-bit .*ARM aarch64/,
    );
  });

  it('says its version, and what this machine lacks', async () => {
    expect(await board.kedge(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^kedge version v1\.\d+\.\d+\+kedge\./),
    });
    const { code, stdout } = await board.kedge(['check-config', '--config', '/dev/null']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/, arm64\n[\s\S]*\nSTATUS: pass \(0 missing/)]);
  });

  it('serves the API to stock kubectl', async () => {
    await board.start();
    expect(await board.ok(['get', '--raw', '/readyz'])).toBe('ok');
    expect(await board.ok(['get', 'nodes'])).toBe('');
    await board.ok(['create', 'configmap', 'from-arm', '--from-literal=a=b']);
    expect(await board.ok(['get', 'configmap', 'from-arm', '-o', 'jsonpath={.data.a}'])).toBe('b');
    expect(await board.stop()).toBe(0);
  });
});
