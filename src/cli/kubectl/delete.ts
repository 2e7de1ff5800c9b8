import type { KubeObject } from '../../api/resource.ts';
import { isNotFound } from '../../api/status.ts';
import { Failure, usageFailure } from '../failure.ts';
import { manifests } from './apply.ts';
import { type ApiResource, findKind, pathOf, typeName } from './discovery.ts';
import { namespaceOf, type Session, selectors, targetsOf } from './targets.ts';

interface Doomed {
  readonly resource: ApiResource;
  readonly namespace: string | undefined;
  readonly name: string;
}

/** Deletes, says so, and waits until the objects are gone unless `--wait=false`. */
export async function deleteObjects(session: Session): Promise<number> {
  const doomed = session.args.has('filename') ? await fromFiles(session) : await fromWords(session);
  let code = 0;
  const leaving: Doomed[] = [];
  for (const one of doomed) {
    try {
      await session.connection.json('DELETE', pathOf(one.resource, one.namespace, one.name), {
        body: JSON.stringify(options(session)),
      });
      session.out(
        `${typeName(one.resource)} "${one.name}" deleted${one.namespace === undefined ? '' : ` from ${one.namespace} namespace`}\n`,
      );
      leaving.push(one);
    } catch (error) {
      if (!isNotFound(error) || !(error instanceof Error)) throw error;
      if (session.args.has('ignore-not-found')) continue;
      session.err(`Error from server (NotFound): ${error.message}\n`);
      code = 1;
    }
  }
  if (session.args.get('wait') !== 'false') for (const one of leaving) await gone(session, one);
  return code;
}

function options(session: Session): object {
  const grace = session.args.get('grace-period') ?? (session.args.has('force') ? '0' : undefined);
  return {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    propagationPolicy: 'Background',
    ...(grace === undefined ? {} : { gracePeriodSeconds: Number(grace) }),
  };
}

async function fromFiles(session: Session): Promise<Doomed[]> {
  const all = await session.resources();
  return manifests(session).map((object) => {
    const resource = findKind(all, object.apiVersion ?? '', object.kind ?? '');
    const namespace =
      object.metadata.namespace ?? session.args.get('namespace') ?? session.connection.namespace;
    return {
      resource,
      namespace: resource.namespaced ? namespace : undefined,
      name: object.metadata.name ?? '',
    };
  });
}

async function fromWords(session: Session): Promise<Doomed[]> {
  const targets = await targetsOf(session, session.args.positionals.slice(1));
  const doomed: Doomed[] = [];
  for (const { resource, names } of targets) {
    const namespace = resource.namespaced ? namespaceOf(session) : undefined;
    if (names.length > 0) {
      doomed.push(...names.map((name) => ({ resource, namespace, name })));
      continue;
    }
    if (!session.args.has('all') && !session.args.has('selector'))
      throw usageFailure('resource(s) were provided, but no name was specified; give names, -l or --all');
    const list = await session.connection.json<{ items: KubeObject[] }>(
      'GET',
      pathOf(resource, namespace) + selectors(session.args),
    );
    doomed.push(
      ...list.items.map(({ metadata }) => ({
        resource,
        namespace: metadata.namespace,
        name: metadata.name ?? '',
      })),
    );
  }
  return doomed;
}

/** Resolves when the object no longer exists: looks once, then watches for its deletion. */
async function gone(session: Session, { resource, namespace, name }: Doomed): Promise<void> {
  const timeoutMs = durationMs(session.args.get('timeout') ?? '0s');
  const query = new URLSearchParams({ fieldSelector: `metadata.name=${name}` });
  const collection = pathOf(resource, namespace);
  const list = await session.connection.json<{ items: KubeObject[]; metadata: { resourceVersion: string } }>(
    'GET',
    `${collection}?${query}`,
  );
  if (list.items.length === 0) return;
  query.set('watch', '1');
  query.set('resourceVersion', list.metadata.resourceVersion);
  if (timeoutMs > 0) query.set('timeoutSeconds', String(Math.ceil(timeoutMs / 1000)));
  const stream = await session.connection.stream(`${collection}?${query}`);
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (/"type":\s*"DELETED"/.test(text)) return void stream.destroy();
    text = text.slice(text.lastIndexOf('\n') + 1);
  }
  throw new Failure(`timed out waiting for ${typeName(resource)} "${name}" to go`);
}

/** `90s`, `5m`, `1h30m` in milliseconds. */
export function durationMs(text: string): number {
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.map(([part]) => part).join('') !== text || parts.length === 0)
    throw usageFailure(`invalid duration ${JSON.stringify(text)}`);
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (units[unit ?? ''] ?? 0), 0);
}
