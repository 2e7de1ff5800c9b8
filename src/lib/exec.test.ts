import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createExec, ExecError } from './exec.ts';
import { LIMITS } from './limits.ts';

describe('Exec', () => {
  it('gives output, passes input and environment, and takes arguments literally', async () => {
    const exec = createExec();
    expect((await exec.run(['cat'], { stdin: 'in and out' })).stdout).toBe('in and out');
    expect((await exec.run(['sh', '-c', 'echo $A'], { env: { A: 'value' } })).stdout).toBe('value\n');
    expect((await exec.run(['printf', '%s', '$(id); "x'])).stdout).toBe('$(id); "x');
    expect(exec.spawned).toBe(3);
  });

  it('rejects with the exit code and the last words', async () => {
    const error = await createExec()
      .run(['sh', '-c', 'echo one >&2; echo two >&2; exit 3'])
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ExecError);
    expect(error).toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(/sh -c .* exited with 3: one; two$/),
    });
  });

  it('says what could not be started, and frees its place', async () => {
    const exec = createExec(1);
    await expect(exec.run(['/nonexistent/program'])).rejects.toThrow('/nonexistent/program');
    expect((await exec.run(['echo', 'next'])).stdout).toBe('next\n');
  });

  it('kills what takes too long', async () => {
    await expect(createExec().run(['sleep', '60'], { timeoutMs: 50 })).rejects.toThrow(/killed by SIGKILL/);
  });

  it('never has more children at once than allowed', async () => {
    const exec = createExec(2);
    const inputs = Array.from({ length: 5 }, () => new PassThrough());
    // Each goes on until its input ends.
    const runs = inputs.map((stdin) => exec.run(['cat'], { stdin }));
    for (const [index, input] of inputs.entries()) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(exec.spawned).toBe(Math.min(index + 2, inputs.length));
      input.end(`${index}`);
      expect((await runs[index])?.stdout).toBe(`${index}`);
    }
  });

  it('keeps a bounded amount of output', async () => {
    const { stdout } = await createExec().run([
      'head',
      '-c',
      String(LIMITS.exec.outputBytes * 2),
      '/dev/zero',
    ]);
    expect(stdout.length).toBeGreaterThanOrEqual(LIMITS.exec.outputBytes);
    expect(stdout.length).toBeLessThan(LIMITS.exec.outputBytes * 1.1);
  });
});
