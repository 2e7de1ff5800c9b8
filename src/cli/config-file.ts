import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { usageFailure } from './failure.ts';
import { convert, type Flags, type FlagValue, type FlagValues } from './flag.ts';
import { nearest } from './nearest.ts';

/**
 * Reads `config.yaml` and then every `*.yaml` of `config.yaml.d` in alphabetical order. A later key replaces an
 * earlier one; `key+` appends to it. A file named on purpose must exist, the default one need not.
 */
export function readConfigFiles(path: string, mustExist: boolean, flags: Flags): FlagValues {
  const values: Record<string, FlagValue> = {};
  for (const file of configFiles(path, mustExist)) {
    for (const [key, raw] of Object.entries(readYaml(file))) apply(values, flags, file, key, raw);
  }
  return values;
}

function configFiles(path: string, mustExist: boolean): string[] {
  const dropIns = `${path}.d`;
  const files = existsSync(path) ? [path] : [];
  if (existsSync(dropIns)) {
    const names = readdirSync(dropIns).filter((name) => /\.ya?ml$/.test(name));
    files.push(...names.sort().map((name) => join(dropIns, name)));
  }
  if (mustExist && files.length === 0) throw usageFailure(`config file ${path} does not exist`);
  return files;
}

function readYaml(file: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const text = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw usageFailure(`cannot read ${file}: ${text}`);
  }
  if (document === null || document === undefined) return {};
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw usageFailure(`${file} must hold a mapping of flag names to values`);
  }
  return document as Record<string, unknown>;
}

function apply(
  values: Record<string, FlagValue>,
  flags: Flags,
  file: string,
  key: string,
  raw: unknown,
): void {
  const appends = key.endsWith('+');
  const name = flagName(flags, appends ? key.slice(0, -1) : key);
  const flag = flags[name];
  if (!Object.hasOwn(flags, name) || flag === undefined)
    throw usageFailure(unknownKey(file, key, name, flags));
  const converted = convert(flag, raw);
  if ('error' in converted) throw usageFailure(`${file}: ${name} ${converted.error}`);
  const before = values[name];
  if (appends && flag.type === 'list' && Array.isArray(before) && Array.isArray(converted.value)) {
    values[name] = [...before, ...converted.value];
  } else if (appends && flag.type === 'string' && typeof before === 'string') {
    values[name] = `${before},${converted.value}`;
  } else {
    values[name] = converted.value;
  }
}

/** K3s' name of a flag that has another here counts in files as it does on the command line. */
function flagName(flags: Flags, key: string): string {
  if (Object.hasOwn(flags, key) || key.length === 1) return key;
  return Object.entries(flags).find(([, { alias }]) => alias === key)?.[0] ?? key;
}

function unknownKey(file: string, key: string, name: string, flags: Flags): string {
  const near = nearest(name, Object.keys(flags));
  return `${file}: unknown key ${JSON.stringify(key)}${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`;
}
