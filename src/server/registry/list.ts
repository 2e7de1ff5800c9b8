import { forbiddenField, notSupported } from '../../api/field-errors.ts';
import { FieldSelector, parseFieldSelector } from '../../api/fields.ts';
import { parseLabelSelector } from '../../api/label-selector-text.ts';
import { type Selector, SelectorError } from '../../api/labels.ts';
import type { KubeObject } from '../../api/resource.ts';
import type { FieldError } from '../../api/status.ts';
import { ApiError, apiError, badRequest, invalid } from '../../api/status.ts';
import { CompactedError, type Entry } from '../../datastore/port.ts';
import type { CachedObject } from '../watchcache/port.ts';
import { type Continuation, decodeContinue, encodeContinue } from './continue.ts';
import type { ResourceDefinition } from './definition.ts';
import type { ServedResource } from './served-resource.ts';

/** `metav1.ListOptions` of a list. */
export interface ListQuery {
  /** `undefined`: all. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** What the fields of the selector are called in the stored version, where the client speaks another. */
  readonly fieldLabels?: Readonly<Record<string, string>> | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: string | undefined;
  /** Means something to watches alone. */
  readonly sendInitialEvents?: boolean | undefined;
}

/** What a list shows of an object; objects of the past have no record in the cache. */
export type ListedObject = Pick<
  CachedObject,
  'name' | 'namespace' | 'json' | 'jsonBytes' | 'writeJson' | 'object'
>;

export interface ListPage {
  readonly items: readonly ListedObject[];
  readonly revision: number;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

export interface Selectors {
  readonly labels: Selector;
  readonly fields: FieldSelector;
}

/** Parses both selectors. Throws 400 in upstream's words. */
export function parseSelectors(
  definition: ResourceDefinition,
  query: Pick<ListQuery, 'labelSelector' | 'fieldSelector' | 'fieldLabels'>,
): Selectors {
  const known = query.fieldLabels ?? definition.selectableFields ?? {};
  try {
    const labels = parseLabelSelector(query.labelSelector ?? '');
    const fields = parseFieldSelector(
      query.fieldSelector ?? '',
      (field) => field === 'metadata.name' || field === 'metadata.namespace' || Object.hasOwn(known, field),
    );
    return { labels, fields: query.fieldLabels ? inStoredVersion(fields, query.fieldLabels) : fields };
  } catch (error) {
    if (error instanceof SelectorError) throw badRequest(error.message);
    throw error;
  }
}

function inStoredVersion(fields: FieldSelector, labels: Readonly<Record<string, string>>): FieldSelector {
  const requirements = fields.requirements.map((one) => ({ ...one, field: labels[one.field] ?? one.field }));
  return new FieldSelector(requirements);
}

/** A cheap test on the cache's records, `undefined` where everything matches. */
export function matcherOf({ labels, fields }: Selectors): ((object: CachedObject) => boolean) | undefined {
  if (labels.isEverything && fields.isEverything) return undefined;
  return (object) =>
    (labels.isEverything || labels.matches(object.labels)) &&
    (fields.isEverything || fields.matches((field) => object.fields[field]));
}

/** Throws 422 for combinations that upstream refuses. */
export function validateListQuery(query: ListQuery): void {
  const { resourceVersionMatch: match = '', resourceVersion = '' } = query;
  const errors: FieldError[] = [];
  const path = 'resourceVersionMatch';
  if (match !== '') {
    if (resourceVersion === '')
      errors.push(
        forbiddenField(path, 'resourceVersionMatch is forbidden unless resourceVersion is provided'),
      );
    if (query.continue)
      errors.push(forbiddenField(path, 'resourceVersionMatch is forbidden when continue is provided'));
    if (match !== 'Exact' && match !== 'NotOlderThan')
      errors.push(notSupported(path, match, ['Exact', 'NotOlderThan', '']));
    if (match === 'Exact' && resourceVersion === '0')
      errors.push(forbiddenField(path, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  if (query.sendInitialEvents !== undefined)
    errors.push(forbiddenField('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
}

/**
 * One page of objects. The newest state comes from the watch cache; a continued list, or one at an exact revision,
 * from the datastore unless nothing of this resource changed since. Throws 400, 410 (`Expired`), 422, 504.
 */
export async function listObjects(served: ServedResource, query: ListQuery): Promise<ListPage> {
  validateListQuery(query);
  const selectors = parseSelectors(served.definition, query);
  // Of whatever state there is all of it is told, as upstream's watch cache does.
  const isAnyState = query.resourceVersion === '0' && !query.continue;
  const limit = !isAnyState && query.limit && query.limit > 0 ? query.limit : undefined;
  const namespace = query.namespace ?? selectors.fields.exactMatch('metadata.namespace');
  const scope = {
    selectors,
    limit,
    namespace: served.definition.resource.namespaced ? namespace : undefined,
  };
  if (query.continue) {
    const at = decodeContinue(query.continue);
    const { revision, start } = at;
    if (query.resourceVersion && query.resourceVersion !== '0')
      throw badRequest('specifying resource version is not allowed when using continue');
    if (revision < 0) return newestPage(served, scope, start);
    return isNewest(served, revision) ? newestPage(served, scope, start) : pastPage(served, scope, at);
  }
  const revision = parseVersion(query.resourceVersion);
  if (revision > served.cache.revision) throw tooLargeVersion(served.cache.revision);
  if (isExact(query, limit) && !isNewest(served, revision))
    return pastPage(served, scope, { revision, start: '' });
  return newestPage(served, scope, '');
}

/** A page at a revision is of that revision also where nobody says so, as upstream has always done it. */
function isExact({ resourceVersionMatch: match, resourceVersion }: ListQuery, limit?: number): boolean {
  return match ? match === 'Exact' : limit !== undefined && (resourceVersion ?? '') !== '';
}

interface Scope {
  readonly selectors: Selectors;
  readonly limit: number | undefined;
  readonly namespace: string | undefined;
}

/** Whether the cache still shows what was there at `revision`. */
function isNewest(served: ServedResource, revision: number): boolean {
  return served.cache.revision === revision;
}

function newestPage(served: ServedResource, scope: Scope, start: string): ListPage {
  const { cache } = served;
  const { revision } = cache;
  const all = candidates(served, scope);
  if (start === '' && (scope.limit === undefined || all.length <= scope.limit))
    return { items: all, revision };
  const from = start === '' ? 0 : firstAtOrAfter(all, start);
  const end = scope.limit === undefined ? all.length : from + scope.limit;
  const items = all.slice(from, end);
  const last = items.at(-1);
  if (end >= all.length || !last) return { items, revision };
  return {
    items,
    revision,
    ...remainder(scope, { revision, start: `${keyPart(last)}\0`, left: all.length - end }),
  };
}

/** How a page says that there is more. What selectors leave out cannot be counted, as upstream. */
function remainder(
  { selectors }: Scope,
  { left, ...at }: Continuation,
): Pick<ListPage, 'continue' | 'remainingItemCount'> {
  const isCounted = left !== undefined && selectors.labels.isEverything && selectors.fields.isEverything;
  return isCounted
    ? { continue: encodeContinue({ ...at, left }), remainingItemCount: left }
    : { continue: encodeContinue(at) };
}

/** Everything the scope selects now; one object where the name is given. */
function candidates(served: ServedResource, { selectors, namespace }: Scope): readonly CachedObject[] {
  const matches = matcherOf(selectors);
  const name = selectors.fields.exactMatch('metadata.name');
  const { namespaced } = served.definition.resource;
  if (name !== undefined && (!namespaced || namespace !== undefined)) {
    const found = served.cache.get(namespace, name);
    return found && (!matches || matches(found)) ? [found] : [];
  }
  return served.cache.list({ namespace, ...(matches ? { matches } : {}) });
}

/** What a continue token names: the key below the resource's prefix. */
function keyPart({ namespace, name }: { namespace: string | undefined; name: string }): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function firstAtOrAfter(objects: readonly CachedObject[], start: string): number {
  let low = 0;
  let high = objects.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const object = objects[middle];
    if (object && keyPart(object) < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many objects a whole list has of which this is the first page; unknown for later ones, and with selectors. */
async function totalAt(
  { selectors }: Scope,
  { start }: Continuation,
  count: () => Promise<number>,
): Promise<number | undefined> {
  return start === '' && selectors.labels.isEverything && selectors.fields.isEverything ? count() : undefined;
}

async function pastPage(served: ServedResource, scope: Scope, at: Continuation): Promise<ListPage> {
  const { prefix, engine } = served;
  const under = scope.namespace === undefined ? prefix : `${prefix}${scope.namespace}/`;
  const wanted = scope.limit ?? Number.POSITIVE_INFINITY;
  const items: ListedObject[] = [];
  // A token of another namespace's list must not reach outside this one.
  let start = `${prefix}${at.start}`;
  if (!start.startsWith(under)) start = under;
  try {
    for (;;) {
      const page = await engine.datastore.list({
        prefix: under,
        revision: at.revision,
        start,
        ...(scope.limit === undefined ? {} : { limit: scope.limit }),
      });
      for (const [index, entry] of page.entries.entries()) {
        const listed = await pastObject(served, entry);
        if (!matchesPast(served, scope.selectors, listed.object())) continue;
        items.push(listed);
        const isMore = page.more || index < page.entries.length - 1;
        if (items.length < wanted || !isMore) continue;
        const total = at.left ?? (await totalAt(scope, at, () => engine.datastore.count(under, at.revision)));
        const left = total === undefined ? {} : { left: Math.max(total - items.length, 1) };
        const next = { revision: at.revision, start: `${keyPart(listed)}\0`, ...left };
        return { items, revision: at.revision, ...remainder(scope, next) };
      }
      const last = page.entries.at(-1);
      if (!page.more || !last) return { items, revision: at.revision };
      start = `${last.key}\0`;
    }
  } catch (error) {
    if (error instanceof CompactedError) throw expiredList(at.start);
    throw error;
  }
}

async function pastObject(served: ServedResource, entry: Entry): Promise<ListedObject> {
  const stored = JSON.parse(Buffer.from(entry.value).toString('utf8')) as KubeObject;
  stored.metadata.resourceVersion = String(entry.revision);
  const object = served.storage ? await served.storage.read(stored) : stored;
  const json = Buffer.from(JSON.stringify(object));
  const path = entry.key.slice(served.prefix.length);
  const slash = path.indexOf('/');
  return {
    namespace: slash < 0 ? undefined : path.slice(0, slash),
    name: path.slice(slash + 1),
    object: () => object,
    json: () => json,
    jsonBytes: json.length,
    writeJson: (target, at) => target.set(json, at),
  };
}

function matchesPast(served: ServedResource, { labels, fields }: Selectors, object: KubeObject): boolean {
  const { name, namespace } = object.metadata;
  const known = served.definition.selectableFields ?? {};
  return (
    labels.matches(object.metadata.labels) &&
    fields.matches((field) => {
      if (field === 'metadata.name') return name;
      return field === 'metadata.namespace' ? namespace : known[field]?.(object);
    })
  );
}

function expiredList(start: string): ApiError {
  if (start === '') return apiError('Expired', 'The resourceVersion for the provided list is too old.');
  const error = apiError(
    'Expired',
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
  );
  return new ApiError({ ...error.status, metadata: { continue: encodeContinue({ revision: -1, start }) } });
}

/** Throws 400 for what is not a revision. Empty and `0` mean any. */
export function parseVersion(text: string | undefined): number {
  if (!text) return 0;
  if (!/^\d{1,15}$/.test(text)) {
    throw badRequest(
      `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  return Number(text);
}

/** 504 as upstream's NewTooLargeResourceVersionError; client-go knows the cause by its reason. */
export function tooLargeVersion(current: number): ApiError {
  return apiError('Timeout', `Too large resource version: current: ${current}`, {
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  });
}
