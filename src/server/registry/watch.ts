import { forbiddenField, notSupported } from '../../api/field-errors.ts';
import type { FieldError } from '../../api/status.ts';
import { invalid } from '../../api/status.ts';
import type { CachedObject, Watcher, WatchHandle } from '../watchcache/port.ts';
import { type ListQuery, matcherOf, parseSelectors, parseVersion, tooLargeVersion } from './list.ts';
import type { ServedResource } from './served-resource.ts';

/** `metav1.ListOptions` of a watch. */
export interface WatchQuery extends ListQuery {
  readonly sendInitialEvents?: boolean | undefined;
  readonly allowWatchBookmarks?: boolean | undefined;
}

export interface OpenedWatch {
  /** To be delivered as ADDED before anything the watcher gets. */
  readonly initial: readonly CachedObject[];
  /** What `initial` reflects. */
  readonly revision: number;
  /** The client waits for a bookmark that says the initial events are over. */
  readonly marksInitialEnd: boolean;
  readonly handle: WatchHandle;
}

/** Throws 422 for combinations that upstream refuses. */
function validateWatchQuery(query: WatchQuery): void {
  const { resourceVersionMatch: match = '', sendInitialEvents } = query;
  const path = 'resourceVersionMatch';
  const errors: FieldError[] = [];
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    const why = 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan';
    errors.push(forbiddenField(path, why));
  }
  if (match !== '') {
    if (sendInitialEvents === undefined) {
      const why = 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided';
      errors.push(forbiddenField(path, why));
    }
    if (match !== 'NotOlderThan') errors.push(notSupported(path, match, ['NotOlderThan']));
    if (query.continue)
      errors.push(forbiddenField(path, 'resourceVersionMatch is forbidden when continue is provided'));
  }
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
}

/** Brings back what a watch from before a restart needs to resume; to be awaited before `openWatch`. */
export async function prepareWatch({ cache }: ServedResource, query: WatchQuery): Promise<void> {
  const version = Number(query.resourceVersion ?? 0);
  if (Number.isSafeInteger(version) && version > 0 && query.sendInitialEvents === undefined)
    await cache.reach(version);
}

/**
 * Starts a watch: the state first where the query asks for it, then changes. Throws 400 and 422 for a bad query,
 * 410 when the revision is no longer held, 504 for one that lies in the future.
 */
export function openWatch(served: ServedResource, query: WatchQuery, watcher: Watcher): OpenedWatch {
  validateWatchQuery(query);
  const { cache, definition } = served;
  const selectors = parseSelectors(definition, query);
  const namespace = query.namespace ?? selectors.fields.exactMatch('metadata.namespace');
  const matches = matcherOf(selectors);
  const selection = {
    namespace: definition.resource.namespaced ? namespace : undefined,
    ...(matches ? { matches } : {}),
  };
  const version = parseVersion(query.resourceVersion);
  const wantsState = query.sendInitialEvents ?? version === 0;
  if (!wantsState) {
    // `sendInitialEvents=false` without a version means from now on.
    const after = version === 0 ? cache.revision : version;
    const handle = cache.watch(selection, after, watcher);
    return { initial: [], revision: after, marksInitialEnd: false, handle };
  }
  if (version > cache.revision) throw tooLargeVersion(cache.revision);
  const { revision } = cache;
  const initial = cache.list(selection);
  const marksInitialEnd = query.sendInitialEvents === true && query.allowWatchBookmarks === true;
  return { initial, revision, marksInitialEnd, handle: cache.watch(selection, revision, watcher) };
}
