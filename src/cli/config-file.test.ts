import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Command } from './command.ts';
import { readConfigFiles } from './config-file.ts';
import type { Flags } from './flag.ts';
import { parseFlags } from './parse.ts';

const flags = {
  config: { type: 'string', describe: '', group: 'x' },
  'node-name': { type: 'string', alias: 'machine-name', describe: '', group: 'x' },
  'node-label': { type: 'list', describe: '', group: 'x' },
  'https-listen-port': { type: 'number', default: 6443, describe: '', group: 'x' },
  'disable-agent': { type: 'boolean', default: false, describe: '', group: 'x' },
} as const satisfies Flags;
const command: Command = { name: 'server', describe: '', about: '', examples: [], flags, configurable: true };

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kedge-config-'));
  path = join(folder, 'config.yaml');
  mkdirSync(`${path}.d`);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('configuration files', () => {
  it('reads drop-ins in order; a later key replaces, key+ appends', () => {
    writeFileSync(path, 'node-name: a\nnode-label: [x=1]\n');
    writeFileSync(join(`${path}.d`, '20-b.yaml'), 'node-label+: y=2,z=3\n');
    writeFileSync(join(`${path}.d`, '10-a.yaml'), 'node-name: b\n');
    writeFileSync(join(`${path}.d`, 'ignored.txt'), 'nonsense: [');
    expect(readConfigFiles(path, true, flags)).toEqual({
      'node-name': 'b',
      'node-label': ['x=1', 'y=2', 'z=3'],
    });
  });

  it('knows a flag by its other name', () => {
    writeFileSync(path, 'machine-name: a\n');
    expect(readConfigFiles(path, true, flags)).toEqual({ 'node-name': 'a' });
  });

  it('names the nearest key for an unknown one', () => {
    writeFileSync(path, 'node-nam: a\n');
    expect(() => readConfigFiles(path, true, flags)).toThrow(
      /unknown key "node-nam"; did you mean "node-name"\?/,
    );
  });

  it('refuses a prototype key, a wrong type, broken YAML and a missing named file', () => {
    writeFileSync(path, '__proto__: a\n');
    expect(() => readConfigFiles(path, true, flags)).toThrow(/unknown key "__proto__"/);
    writeFileSync(path, 'https-listen-port: many\n');
    expect(() => readConfigFiles(path, true, flags)).toThrow(
      /https-listen-port must be a whole number, not "many"/,
    );
    writeFileSync(path, 'a: [\n');
    expect(() => readConfigFiles(path, true, flags)).toThrow(/cannot read/);
    expect(() => readConfigFiles(join(folder, 'none.yaml'), true, flags)).toThrow(/does not exist/);
    expect(readConfigFiles(join(folder, 'none.yaml'), false, flags)).toEqual({});
  });
});

describe('flags', () => {
  it('take precedence over the environment, files and defaults, in this order', async () => {
    writeFileSync(path, 'node-name: file\nhttps-listen-port: 1\ndisable-agent: true\n');
    const env = { KEDGE_NODE_NAME: 'env', KEDGE_HTTPS_LISTEN_PORT: '2' };
    const values = await parseFlags(
      command,
      ['--config', path, '--https-listen-port=3', '--node-label', 'a=b', '--node-label=c=d,e=f'],
      env,
    );
    expect(values).toEqual({
      config: path,
      'node-name': 'env',
      'https-listen-port': 3,
      'disable-agent': true,
      'node-label': ['a=b', 'c=d', 'e=f'],
    });
  });

  it('names the nearest flag for an unknown one and refuses stray arguments', async () => {
    await expect(parseFlags(command, ['--nod-name', 'x'], {})).rejects.toThrow(
      /unknown flag --nod-name; did you mean --node-name\?/,
    );
    writeFileSync(path, '');
    await expect(parseFlags(command, ['--config', path, 'extra'], {})).rejects.toThrow(
      /takes no argument "extra"/,
    );
    writeFileSync(path, '');
    await expect(parseFlags(command, ['--https-listen-port', 'x', '--config', path], {})).rejects.toThrow(
      /--https-listen-port must be a whole number, not "x"/,
    );
  });
});
