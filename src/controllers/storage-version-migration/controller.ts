import type { KubeObject, Resource } from '../../api/resource.ts';
import { storageVersionMigrations } from '../../api/resources.gen.ts';
import { isConflict, isNotFound } from '../../api/status.ts';
import type { StorageVersionMigration } from '../../api/types.gen.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { startControlLoop } from '../framework/control-loop.ts';
import { servedResources } from '../framework/served-resources.ts';
import { writeStatus } from '../framework/status-writer.ts';
import type { Controller, ControllerContext } from '../port.ts';
import { isOver, type Outcome, statusAfter } from './plan.ts';

const NAME = 'storage-version-migrator-controller';

/**
 * Has every object of a resource written once more, so that all of them are stored in the storage version. The writes
 * change nothing; the server stores what is stored otherwise, and nothing else.
 */
export const storageVersionMigrationController: Controller = {
  name: NAME,
  start(context) {
    const migrations = context.informers.for(storageVersionMigrations);
    const served = servedResources(context);
    const loop = startControlLoop({
      context,
      name: NAME,
      informers: [migrations, served],
      reconcile: async (name) => {
        const migration = migrations.store.get(undefined, name);
        if (!migration || isOver(migration)) return undefined;
        const { group = '', resource = '' } = migration.spec?.resource ?? {};
        const target = served.list().find((one) => one.group === group && one.resource === resource);
        if (target) return await migrate(context, migration, target);
        // Its definition may be just about to be accepted.
        const ageMs = context.clock.now() - Date.parse(migration.metadata.creationTimestamp ?? '');
        const leftMs = LIMITS.controllers.migrationWaitMs - ageMs;
        if (leftMs > 0) return leftMs;
        await write(context, migration, 'Failed', { message: 'resource not found' });
        return undefined;
      },
    });
    loop.enqueueAll(migrations);
    loop.onStop(
      served.onChange(() => {
        for (const { metadata } of migrations.store.list()) loop.add(metadata.name ?? '');
      }),
    );
    return loop.stop;
  },
};

async function migrate(
  context: ControllerContext,
  migration: StorageVersionMigration,
  target: Resource<KubeObject>,
): Promise<undefined> {
  const { client } = context;
  let list = await client.list(target, { limit: LIMITS.controllers.migrationPage });
  let current = await write(context, migration, 'Running', {
    resourceVersion: list.metadata.resourceVersion ?? '',
  });
  try {
    for (;;) {
      for (const object of list.items) await rewrite(context, target, object);
      const from = list.metadata.continue;
      if (!from) break;
      list = await client.list(target, { limit: LIMITS.controllers.migrationPage, continue: from });
    }
    current = await write(context, current, 'Succeeded', {});
  } catch (error) {
    context.log.child(NAME).warn('migration failed', { name: migration.metadata.name, error });
    await write(context, current, 'Failed', { message: 'migration encountered unhandled error' });
  }
  return undefined;
}

/** Who was changed, deleted or made anew since is stored in the storage version already, or not at all. */
async function rewrite(
  { client }: ControllerContext,
  target: Resource<KubeObject>,
  { metadata: { namespace, name = '', uid, resourceVersion } }: KubeObject,
): Promise<void> {
  const body = { metadata: { uid, resourceVersion } };
  try {
    await client.patch(
      target,
      { ...(namespace === undefined ? {} : { namespace }), name },
      { type: 'merge', body },
    );
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}

async function write(
  { client, clock }: ControllerContext,
  migration: StorageVersionMigration,
  outcome: Outcome,
  more: { message?: string; resourceVersion?: string },
): Promise<StorageVersionMigration> {
  const status = statusAfter(migration, outcome, { now: rfc3339(clock.now()), ...more });
  return await writeStatus(client, storageVersionMigrations, migration, status);
}
