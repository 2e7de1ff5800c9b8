import { describe, expect, it } from 'vitest';
import { bootstrapTokenUser } from '../../server/authn/bootstrap-tokens.ts';
import { parseCommand } from '../parse.ts';
import { bootstrapSecret, readBootstrapSecret } from './bootstrap-secret.ts';
import { tokenCommand } from './command.ts';

const TOKEN = 'abcdef.0123456789abcdef';
const options = {
  description: 'roof',
  ttl: '1h30m',
  usages: ['signing', 'authentication'],
  groups: ['system:bootstrappers:kedge:default-node-token'],
  nowMs: Date.UTC(2026, 5, 1),
};
/** As the server stores it. */
const stored = (secret: ReturnType<typeof bootstrapSecret>) => ({
  ...secret,
  data: Object.fromEntries(
    Object.entries(secret.stringData ?? {}).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  ),
});

describe('a bootstrap token', () => {
  const secret = stored(bootstrapSecret(TOKEN, options));

  it('is what the server lets in, until it ends', () => {
    const at = (nowMs: number) => bootstrapTokenUser(TOKEN, () => secret, nowMs);
    expect(at(options.nowMs)).toEqual({
      name: 'system:bootstrap:abcdef',
      groups: ['system:bootstrappers', 'system:bootstrappers:kedge:default-node-token'],
    });
    expect(at(options.nowMs + 90 * 60_000)).toBeUndefined();
    const forEver = stored(bootstrapSecret(TOKEN, { ...options, ttl: '0' }));
    expect(bootstrapTokenUser(TOKEN, () => forEver, options.nowMs * 2)).toBeDefined();
  });

  it('is read back as it was made', () => {
    expect(readBootstrapSecret(secret)).toEqual({
      token: TOKEN,
      description: 'roof',
      expires: '2026-06-01T01:30:00Z',
      usages: options.usages,
      groups: options.groups,
    });
    expect(readBootstrapSecret({ ...secret, type: 'Opaque' })).toBeUndefined();
  });

  it.each([
    [{ ttl: 'soon' }, /--ttl must be a duration/],
    [{ ttl: '5' }, /--ttl must be a duration/],
    [{ usages: ['joining'] }, /--usages must be of signing, authentication/],
    [{ groups: ['system:masters'] }, /--groups must begin with system:bootstrappers:/],
  ])('%j: %s', (change, problem) => {
    expect(() => bootstrapSecret(TOKEN, { ...options, ...change })).toThrow(problem);
  });
});

describe('kedge token', () => {
  const subcommand = (name: string) => {
    const found = tokenCommand.subcommands?.find((one) => one.name === name);
    if (!found) throw new Error(`no subcommand ${name}`);
    return found;
  };

  it('takes the token to make or to delete as an argument', async () => {
    const parsed = await parseCommand(subcommand('create'), ['--ttl', '1h', TOKEN], {});
    expect(parsed).toMatchObject({ operands: [TOKEN], values: { ttl: '1h', groups: options.groups } });
    await expect(parseCommand(subcommand('delete'), [], {})).rejects.toThrow(/needs <token>…/);
    await expect(parseCommand(subcommand('generate'), ['x'], {})).rejects.toThrow(/takes no argument "x"/);
  });
});
