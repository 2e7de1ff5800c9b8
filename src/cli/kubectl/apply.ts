import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../api/resource.ts';
import { isNotFound } from '../../api/status.ts';
import { Failure, usageFailure } from '../failure.ts';
import { findKind, pathOf, typeName } from './discovery.ts';
import type { Session } from './targets.ts';

/** Server-side apply of every document of the files given. */
export async function apply(session: Session): Promise<number> {
  const manager = session.args.get('field-manager') ?? 'kedge-kubectl';
  let code = 0;
  for (const object of manifests(session)) {
    try {
      session.out(`${await applyOne(session, object, manager)}\n`);
    } catch (error) {
      if (error instanceof Failure && error.exitCode === 2) throw error;
      session.err(
        `Error from server: ${object.kind} ${object.metadata.name}: ${error instanceof Error ? error.message : error}\n`,
      );
      code = 1;
    }
  }
  return code;
}

async function applyOne(session: Session, object: KubeObject, manager: string): Promise<string> {
  const resource = findKind(await session.resources(), object.apiVersion ?? '', object.kind ?? '');
  const namespace =
    object.metadata.namespace ?? session.args.get('namespace') ?? session.connection.namespace;
  const path = pathOf(resource, namespace, object.metadata.name);
  const before = await session.connection.json<KubeObject>('GET', path).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  const query = new URLSearchParams({ fieldManager: manager, fieldValidation: 'Strict' });
  if (session.args.has('force-conflicts')) query.set('force', 'true');
  if (session.args.has('dry-run')) query.set('dryRun', 'All');
  const after = await session.connection.json<KubeObject>('PATCH', `${path}?${query}`, {
    body: JSON.stringify(object),
    contentType: 'application/apply-patch+yaml',
  });
  const did =
    before === undefined
      ? 'created'
      : before.metadata.resourceVersion === after.metadata.resourceVersion
        ? 'unchanged'
        : 'configured';
  return `${typeName(resource)}/${after.metadata.name} ${did}${session.args.has('dry-run') ? ' (server dry run)' : ''}`;
}

/** Objects of the files, folders and standard input that `-f` names, Lists unfolded. */
export function manifests(session: Session): KubeObject[] {
  const files = session.args.all('filename').flatMap((path) => (path === '-' ? ['-'] : filesOf(path)));
  if (files.length === 0) throw usageFailure('must specify -f with a file, a folder or - for standard input');
  return files.flatMap((file) => {
    const text = readFileSync(file === '-' ? 0 : file, 'utf8');
    return parseAllDocuments(text).flatMap((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw usageFailure(`${file}: ${error.message.split('\n')[0]}`);
      return objectsOf(file, document.toJS({ maxAliasCount: 100 }));
    });
  });
}

function filesOf(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
  } catch (cause) {
    throw new Failure(`the path ${JSON.stringify(path)} does not exist`, 1, { cause });
  }
  return readdirSync(path)
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .sort()
    .map((name) => join(path, name));
}

function objectsOf(file: string, value: unknown): KubeObject[] {
  if (value === null || value === undefined) return [];
  const object = value as KubeObject & { items?: unknown[] };
  if (typeof value !== 'object' || typeof object.kind !== 'string' || typeof object.apiVersion !== 'string') {
    throw usageFailure(`${file}: every document needs apiVersion and kind`);
  }
  if (object.kind === 'List' && Array.isArray(object.items))
    return object.items.flatMap((item) => objectsOf(file, item));
  if (typeof object.metadata?.name !== 'string')
    throw usageFailure(`${file}: ${object.kind} needs metadata.name`);
  return [object];
}
