import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseFlags } from '../parse.ts';
import { agentCommand } from './command.ts';
import { type AgentConfig, agentConfig } from './config.ts';

async function configOf(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<AgentConfig> {
  const all = ['--config', '/dev/null', '--node-ip', '192.0.2.7', '--node-name', 'pi', ...argv];
  const values = await parseFlags(agentCommand, all, env);
  if (values === undefined) throw new Error('help was printed');
  return agentConfig(values);
}

describe('agentConfig', () => {
  it('takes server and token from flags, from the environment or from a file', async () => {
    const { server, token, node } = await configOf(['-s', 'https://10.0.0.1:6443/', '-t', 'mine']);
    expect({ server, token, name: node.name }).toEqual({
      server: 'https://10.0.0.1:6443',
      token: { caHash: undefined, secret: 'mine', id: undefined },
      name: 'pi',
    });
    const fromEnv = await configOf([], { KEDGE_URL: 'https://[fd00::1]:6443', KEDGE_TOKEN: 'theirs' });
    expect([fromEnv.server, fromEnv.token?.secret]).toEqual(['https://[fd00::1]:6443', 'theirs']);
    const folder = mkdtempSync(join(tmpdir(), 'kedge-config-'));
    try {
      writeFileSync(join(folder, 'token'), 'filed\n');
      expect((await configOf(['--token-file', join(folder, 'token')])).token?.secret).toBe('filed');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('needs neither once a board has joined', async () => {
    expect(await configOf([])).toMatchObject({ server: undefined, token: undefined });
  });

  it.each([
    [['--server', '10.0.0.1'], /--server must be https:/],
    [['--server', 'http://10.0.0.1:6443'], /--server must be https:/],
    [['--server', 'https://10.0.0.1:6443/api'], /--server must be https:/],
    [['--token', 'K10123'], /--token begins with K10 but/],
    [['--token', 'a', '--token-file', 'b'], /not both/],
    [['--token-file', '/nowhere/token'], /cannot read --token-file \/nowhere\/token/],
    [['--tls-san', 'x'], /unknown flag --tls-san/],
  ])('%j: %s', async (argv, problem) => {
    await expect(configOf(argv)).rejects.toThrow(problem);
  });
});
