import { usageFailure } from '../failure.ts';
import { pathOf, typeName } from './discovery.ts';
import { type Session, targetsOf } from './targets.ts';

export async function scale(session: Session): Promise<number> {
  const replicas = Number(session.args.get('replicas') ?? Number.NaN);
  if (!Number.isInteger(replicas) || replicas < 0)
    throw usageFailure('--replicas must be a whole number of at least 0');
  const namespace = session.args.get('namespace') ?? session.connection.namespace;
  for (const { resource, names } of await targetsOf(session, session.args.positionals.slice(1))) {
    for (const name of names) {
      await session.connection.json('PATCH', `${pathOf(resource, namespace, name)}/scale`, {
        body: JSON.stringify({ spec: { replicas } }),
        contentType: 'application/merge-patch+json',
      });
      session.out(`${typeName(resource)}/${name} scaled\n`);
    }
  }
  return 0;
}
