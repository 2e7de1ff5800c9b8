import { selectedName } from '../../api/fields.ts';

/** What a request is about, read from method and URL alone (upstream's RequestInfoFactory). */
export type RequestInfo = ResourceRequest | PathRequest;

export interface ResourceRequest {
  readonly isResource: true;
  readonly path: string;
  /** Lower-case API verb: `get`, `list`, `watch`, `deletecollection`, … */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** What follows the subresource, for proxies; without a slash in front. */
  readonly rest: string;
}

export interface PathRequest {
  readonly isResource: false;
  readonly path: string;
  /** Lower-case HTTP method. */
  readonly verb: string;
}

const VERBS: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Under `/namespaces/<name>/` these are subresources of the Namespace, anything else a resource in it. */
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

/** They may be about one object, too, which their field selector then names. */
const LISTING: ReadonlySet<string> = new Set(['list', 'watch', 'deletecollection']);

/** `undefined` for a path that cannot be decoded. */
export function parseRequest(method: string, path: string, query: URLSearchParams): RequestInfo | undefined {
  const other: PathRequest = { isResource: false, path, verb: method.toLowerCase() };
  if (!path.startsWith('/api/') && !path.startsWith('/apis/')) return other;
  const parts = decodeParts(path);
  if (!parts) return undefined;
  const core = parts[0] === 'api';
  const [group, version, rest] = core ? ['', parts[1], parts.slice(2)] : [parts[1], parts[2], parts.slice(3)];
  if (!version || group === undefined || rest.length === 0 || rest[0] === '') return other;
  const watchPrefix = rest[0] === 'watch' && rest.length > 1;
  if (watchPrefix) rest.shift();
  const target = locate(rest);
  const verb = verbOf(method, target.name, watchPrefix, query);
  return {
    isResource: true,
    path,
    verb,
    group,
    version,
    ...target,
    name: target.name || (LISTING.has(verb) ? selectedName(query.get('fieldSelector') ?? '') : ''),
  };
}

function decodeParts(path: string): string[] | undefined {
  if (!path.includes('%')) return plainParts(path);
  const trimmed = path.endsWith('/') ? path.slice(1, -1) : path.slice(1);
  try {
    return trimmed.split('/').map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

/** As `split` does, which costs a call into the runtime. */
function plainParts(path: string): string[] {
  const end = path.endsWith('/') ? path.length - 1 : path.length;
  const parts: string[] = [];
  let from = 1;
  for (;;) {
    const slash = path.indexOf('/', from);
    if (slash < 0 || slash >= end) break;
    parts.push(path.slice(from, slash));
    from = slash + 1;
  }
  parts.push(path.slice(from, end));
  return parts;
}

function locate(rest: string[]) {
  let namespace = '';
  let parts = rest;
  if (parts[0] === 'namespaces' && parts.length > 1) {
    namespace = parts[1] ?? '';
    if (parts.length > 2 && !NAMESPACE_SUBRESOURCES.has(parts[2] ?? '')) parts = parts.slice(2);
  }
  const [resource = '', name = '', subresource = '', ...more] = parts;
  return { namespace, resource, name, subresource, rest: more.join('/') };
}

function verbOf(method: string, name: string, watchPrefix: boolean, query: URLSearchParams): string {
  const verb = VERBS[method] ?? method.toLowerCase();
  if (verb === 'get' && (watchPrefix || (name === '' && isTrue(query.get('watch'))))) return 'watch';
  if (name !== '') return verb;
  if (verb === 'get') return 'list';
  return verb === 'delete' ? 'deletecollection' : verb;
}

/** How upstream reads boolean query parameters: anything but an explicit no. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== '0' && value.toLowerCase() !== 'false';
}
