import type { KubeObject } from '../../api/resource.ts';
import type { Event } from '../../api/types.gen.ts';
import { pathOf } from './discovery.ts';
import { columnsOf } from './table.ts';
import { namespaceOf, type Session, selectors, targetsOf } from './targets.ts';

/** Every field of the objects as an indented outline, then the events about them. */
export async function describe(session: Session): Promise<number> {
  const namespace = namespaceOf(session);
  let first = true;
  for (const { resource, names } of await targetsOf(session, session.args.positionals.slice(1))) {
    const paths =
      names.length > 0
        ? names.map((name) => pathOf(resource, namespace, name))
        : [pathOf(resource, namespace) + selectors(session.args)];
    for (const path of paths) {
      const answer = await session.connection.json<KubeObject & { items?: KubeObject[] }>('GET', path);
      for (const object of answer.items ?? [answer]) {
        if (!first) session.out('\n\n');
        first = false;
        session.out(outline(object) + (await eventsOf(session, object)));
      }
    }
  }
  return 0;
}

function outline(object: KubeObject): string {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = object;
  const head: [string, unknown][] = [
    ['Name', metadata.name],
    ['Namespace', metadata.namespace],
    ['Labels', metadata.labels ?? '<none>'],
    ['Annotations', metadata.annotations ?? '<none>'],
    ['Created', metadata.creationTimestamp],
    ['Deletion Requested', metadata.deletionTimestamp],
    ['Controlled By', metadata.ownerReferences?.map(({ kind, name }) => `${kind}/${name}`).join(', ')],
  ];
  const lines = head
    .filter(([, value]) => value !== undefined && value !== '')
    .flatMap(([key, value]) => render(key, value, 0));
  for (const [key, value] of Object.entries(rest)) lines.push(...render(title(key), value, 0));
  return `${lines.join('\n')}\n`;
}

function render(key: string, value: unknown, depth: number): string[] {
  const pad = '  '.repeat(depth);
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== 'object')) return [`${pad}${key}: ${value.join(' ')}`];
    return [`${pad}${key}:`, ...value.flatMap((item, index) => renderItem(item, index, depth + 1))];
  }
  if (value !== null && typeof value === 'object') {
    const plain = key === 'Labels' || key === 'Annotations';
    return [
      `${pad}${key}:`,
      ...Object.entries(value).flatMap(([name, one]) => render(plain ? name : title(name), one, depth + 1)),
    ];
  }
  return [`${pad}${key}: ${String(value).replaceAll('\n', `\n${pad}  `)}`];
}

function renderItem(item: unknown, index: number, depth: number): string[] {
  if (item === null || typeof item !== 'object') return [`${'  '.repeat(depth)}${String(item)}`];
  const { name, type, ...rest } = item as Record<string, unknown>;
  const label = typeof name === 'string' ? name : typeof type === 'string' ? type : `#${index}`;
  const more = typeof name === 'string' && type !== undefined ? { type, ...rest } : rest;
  return [
    `${'  '.repeat(depth)}${label}:`,
    ...Object.entries(more).flatMap(([key, one]) => render(title(key), one, depth + 1)),
  ];
}

/** `podIPs` → `Pod IPs`. */
function title(key: string): string {
  const spaced = key.replace(/([a-z0-9])([A-Z])/g, '$1 $2');
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

async function eventsOf(session: Session, { metadata }: KubeObject): Promise<string> {
  const query = new URLSearchParams({ fieldSelector: `involvedObject.uid=${metadata.uid}` });
  const base =
    metadata.namespace === undefined ? '/api/v1/events' : `/api/v1/namespaces/${metadata.namespace}/events`;
  const { items } = await session.connection.json<{ items: Event[] }>('GET', `${base}?${query}`);
  if (items.length === 0) return 'Events: <none>\n';
  const seen = (event: Event): string =>
    event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '';
  const rows = items
    .sort((a, b) => (seen(a) < seen(b) ? -1 : 1))
    .map((event) => [
      `  ${event.type ?? ''}`,
      event.reason ?? '',
      seen(event),
      event.source?.component ?? event.reportingComponent ?? '',
      (event.message ?? '').trim(),
    ]);
  return `Events:\n${columnsOf([['  Type', 'Reason', 'Last Seen', 'From', 'Message'], ...rows])}`;
}
