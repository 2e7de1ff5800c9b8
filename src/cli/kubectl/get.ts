import type { IncomingMessage } from 'node:http';
import { stringify } from 'yaml';
import type { KubeObject } from '../../api/resource.ts';
import { isNotFound } from '../../api/status.ts';
import { usageFailure } from '../failure.ts';
import { apiVersionOf, pathOf, typeName } from './discovery.ts';
import { printTable, type ServerTable } from './table.ts';
import { namespaceOf, type Session, selectors, type Target, targetsOf } from './targets.ts';

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

interface List {
  readonly items?: readonly KubeObject[];
  readonly metadata?: { readonly resourceVersion?: string };
}

export async function get(session: Session): Promise<number> {
  const output = session.args.get('output') ?? '';
  if (!['', 'wide', 'json', 'yaml', 'name'].includes(output)) {
    throw usageFailure(
      `unknown output format ${JSON.stringify(output)}; use wide, yaml, json or name (kubectl itself knows more)`,
    );
  }
  const targets = await targetsOf(session, session.args.positionals.slice(1));
  if (session.args.has('watch')) return await watch(session, targets, output);
  return output === '' || output === 'wide'
    ? await tables(session, targets, output)
    : await objects(session, targets, output);
}

/** Paths to fetch for a target: its collection, or each named object. */
function pathsOf(session: Session, { resource, names }: Target): string[] {
  const namespace = namespaceOf(session);
  if (names.length === 0) return [pathOf(resource, namespace) + selectors(session.args)];
  if (namespace === undefined && resource.namespaced)
    throw usageFailure('a resource cannot be retrieved by name across all namespaces');
  return names.map((name) => pathOf(resource, namespace, name));
}

async function tables(session: Session, targets: readonly Target[], output: string): Promise<number> {
  let code = 0;
  let printed = 0;
  for (const target of targets) {
    const found: ServerTable[] = [];
    for (const path of pathsOf(session, target)) {
      try {
        found.push(await session.connection.json<ServerTable>('GET', path, { accept: TABLE }));
      } catch (error) {
        code = reportMissing(session, error) ?? code;
      }
    }
    const rows = found.flatMap((table) => table.rows ?? []);
    if (rows.length === 0) continue;
    if (printed++ > 0) session.out('\n');
    session.out(
      printTable(
        { ...found[0], rows },
        {
          ...printing(session, target, output),
          prefix: targets.length > 1 ? `${typeName(target.resource)}/` : '',
        },
      ),
    );
  }
  if (printed === 0 && code === 0 && !session.args.has('ignore-not-found')) {
    const namespace = namespaceOf(session);
    const scoped = targets.some(({ resource }) => resource.namespaced) && namespace !== undefined;
    session.err(`No resources found${scoped ? ` in ${namespace} namespace` : ''}.\n`);
  }
  return code;
}

function printing(session: Session, { resource }: Target, output: string) {
  return {
    wide: output === 'wide',
    withNamespace: resource.namespaced && namespaceOf(session) === undefined,
    showLabels: session.args.has('show-labels'),
    headers: !session.args.has('no-headers'),
    prefix: '',
  };
}

/** Prints what is not there and goes on with the rest, as kubectl does. */
function reportMissing(session: Session, error: unknown): number | undefined {
  if (!isNotFound(error) || !(error instanceof Error)) throw error;
  if (session.args.has('ignore-not-found')) return undefined;
  session.err(`Error from server (NotFound): ${error.message}\n`);
  return 1;
}

async function objects(session: Session, targets: readonly Target[], output: string): Promise<number> {
  let code = 0;
  const items: KubeObject[] = [];
  const single = targets.length === 1 && targets[0]?.names.length === 1;
  for (const target of targets) {
    for (const path of pathsOf(session, target)) {
      try {
        const answer = await session.connection.json<KubeObject & List>('GET', path);
        const { resource } = target;
        const found = answer.items ?? [answer];
        items.push(
          ...found.map((item) => ({ apiVersion: apiVersionOf(resource), kind: resource.kind, ...item })),
        );
        if (output === 'name')
          session.out(found.map(({ metadata }) => `${typeName(resource)}/${metadata.name}\n`).join(''));
      } catch (error) {
        code = reportMissing(session, error) ?? code;
      }
    }
  }
  if (output === 'name') return code;
  for (const item of items) delete item.metadata.managedFields;
  const document = single
    ? items[0]
    : { apiVersion: 'v1', kind: 'List', items, metadata: { resourceVersion: '' } };
  if (document !== undefined)
    session.out(
      output === 'json' ? `${JSON.stringify(document, null, 4)}\n` : stringify(document, { lineWidth: 0 }),
    );
  return code;
}

async function watch(session: Session, targets: readonly Target[], output: string): Promise<number> {
  const [target] = targets;
  if (target === undefined || targets.length > 1)
    throw usageFailure('you may only watch one resource type at a time');
  const fields: Record<string, string> =
    target.names[0] === undefined ? {} : { fieldSelector: `metadata.name=${target.names[0]}` };
  const base = pathOf(target.resource, namespaceOf(session));
  const list = await session.connection.json<ServerTable>('GET', base + selectors(session.args, fields), {
    accept: TABLE,
  });
  const options = printing(session, target, output);
  session.out(printTable(list, options));
  const query = selectors(session.args, {
    ...fields,
    watch: '1',
    resourceVersion: list.metadata?.resourceVersion ?? '0',
  });
  const columns = list.columnDefinitions;
  for await (const line of lines(await session.connection.stream(base + query, TABLE))) {
    const { type, object } = JSON.parse(line) as { type: string; object: ServerTable & { message?: string } };
    if (type === 'ERROR') throw new Error(object.message ?? 'the watch broke');
    if (type !== 'BOOKMARK')
      session.out(
        printTable({ columnDefinitions: columns ?? [], ...object }, { ...options, headers: false }),
      );
  }
  return 0;
}

async function* lines(stream: IncomingMessage): AsyncIterable<string> {
  let rest = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream) {
    const parts = (rest + String(chunk)).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
}
