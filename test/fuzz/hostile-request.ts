import { qualifiedResource } from '../../src/api/resource.ts';
import { RESOURCES } from '../../src/server/resources/table.ts';
import { hostileBody } from './hostile-body.ts';
import type { Random } from './random.ts';

export interface HostileRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: Buffer;
}

const METHODS = [
  'GET',
  'GET',
  'HEAD',
  'POST',
  'POST',
  'PUT',
  'PATCH',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'BREW',
];
const ODD_PARTS = [
  '..',
  '.',
  '%2e%2e',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '%00',
  '%ff',
  '%',
  '%zz',
  '',
  '__proto__',
  'constructor',
  'toString',
  'a'.repeat(300),
  '%F0%9F%92%A5',
  'Upper',
  '*',
  'a;b',
  'status',
];
const ODD_PATHS = [
  '/',
  '//',
  '/api//v1',
  '/apis/__proto__/constructor',
  '/apis/apps/v1/__proto__',
  '/api/v1/namespaces/__proto__/configmaps/constructor',
  '/api/v1/watch/namespaces/default/configmaps/a',
  '/api/v1/watch/../../../etc/passwd',
  '/openapi/v3/apis/__proto__',
  '/openapi/v2?x',
  '/healthz/../metrics',
  '/readyz/__proto__',
  '/metrics/..',
  '/apis/apps/v1/namespaces/default/deployments/a/scale/b/c',
  '*',
  'http://elsewhere.example.com/api/v1/pods',
];
const QUERY: Readonly<Record<string, readonly string[]>> = {
  labelSelector: ['a=b', 'a in (b', '!!a', '===', 'a in ()', ',', '%00', 'a notin (b,c),!d', '__proto__=x'],
  fieldSelector: [
    'metadata.name=a',
    'a',
    '=',
    'metadata.name=a,metadata.name=b',
    'spec.x!=y',
    '\\',
    '__proto__=x',
  ],
  limit: ['-1', '0', '1', 'abc', '1e99', '99999999999999999999', '0x10', '1.5', ''],
  continue: ['x', 'e30=', 'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiLi4vIn0', '%00', 'null'],
  resourceVersion: ['0', '1', '-1', 'abc', '18446744073709551616', ''],
  resourceVersionMatch: ['Exact', 'NotOlderThan', 'Sometimes', ''],
  timeoutSeconds: ['1', '-1', 'abc', '1e9', ''],
  watch: ['1', 'true', 'false', 'maybe', ''],
  sendInitialEvents: ['true', 'x'],
  allowWatchBookmarks: ['true', 'x'],
  fieldValidation: ['Strict', 'Warn', 'Ignore', 'strict', '__proto__'],
  fieldManager: ['m', 'x'.repeat(300), '\u0001', ''],
  force: ['true', 'perhaps'],
  dryRun: ['All', 'None', ''],
  pretty: ['true', '0', 'x'],
  propagationPolicy: ['Orphan', 'Foreground', 'Sideways'],
  gracePeriodSeconds: ['0', '-1', 'abc', '99999999999'],
  orphanDependents: ['true', 'x'],
  command: ['sh', ''],
  __proto__: ['x'],
};
const ACCEPTS = [
  'application/json',
  '*/*',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=Table;v=v9;g=__proto__',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'application/vnd.kubernetes.protobuf',
  'text/html;q=0.1',
  ';q=1',
  'application/yaml',
  `${'a/b,'.repeat(500)}c/d`,
];
const HEADERS = [
  'Impersonate-User: system:admin',
  'Impersonate-Group: system:masters',
  'Impersonate-User:',
  'Impersonate-Extra-%2e%zz: x',
  'Impersonate-Uid: 1',
  'Authorization: Basic eDp5',
  'Authorization: Bearer',
  'Authorization: Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.',
  'Authorization: Bearer abcdef.0123456789abcdef',
  'Accept-Encoding: gzip;q=0, *;q=0.5',
  'Accept-Encoding: br, zstd, gzip',
  'Content-Encoding: gzip',
  'Expect: 100-continue',
  'Audit-Id: ../../x',
  'X-Forwarded-For: 1.2.3.4, nonsense, ::1',
  'Range: bytes=0-9999999999',
  'If-None-Match: "*"',
  'Upgrade: websocket',
  'Cookie: a=b',
];
const STORED = RESOURCES.filter((one) => !one.virtual);

/** A request at any verb of any resource, or at no resource at all, with something wrong somewhere. */
export function hostileRequest(random: Random): HostileRequest {
  const { resource } = random.pick(RESOURCES);
  const method = random.pick(METHODS);
  const body = hostileBody(random, qualifiedResource(resource), method);
  const path = random.chance(0.15) ? random.pick(ODD_PATHS) : resourcePath(random, method, resource);
  // Mostly what the server can write, so that it gets further than this.
  const accept = random.chance(0.8) ? 'application/json' : random.pick(ACCEPTS);
  const headers = [`Content-Type: ${body.contentType}`, `Accept: ${accept}`];
  while (random.chance(0.2)) headers.push(random.pick(HEADERS));
  if (!headers.some((one) => one.startsWith('Authorization'))) headers.push('Authorization: Bearer tester');
  const hasBody = !['GET', 'HEAD', 'TRACE'].includes(method) || random.chance(0.1);
  const query = queryOf(random, path.includes('/watch/'));
  return { method, path: path + query, headers, body: hasBody ? body.bytes : Buffer.alloc(0) };
}

function resourcePath(
  random: Random,
  method: string,
  { group, version, resource, namespaced }: (typeof STORED)[number]['resource'],
): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const part = (usual: string): string => (random.chance(0.1) ? random.pick(ODD_PARTS) : usual);
  const place = namespaced && random.chance(0.8) ? `/namespaces/${part('default')}` : '';
  const named = method === 'POST' ? 0.2 : method === 'PUT' || method === 'PATCH' ? 0.9 : 0.6;
  const name = random.chance(named) ? `/${part(`f${random.below(20)}`)}` : '';
  const below =
    name !== '' && random.chance(0.2)
      ? `/${random.pick(['status', 'scale', 'log', 'exec', 'proxy', ...ODD_PARTS])}`
      : '';
  return `${root}${place}/${part(resource)}${name}${below}`;
}

function queryOf(random: Random, isWatch: boolean): string {
  const pairs: string[] = [];
  while (random.chance(0.35)) {
    const key = random.pick(Object.keys(QUERY));
    const value = random.pick(QUERY[key] ?? ['']);
    pairs.push(`${key}=${value.includes('%') ? value : encodeURIComponent(value)}`);
  }
  // A watch that never ends would be waited for.
  if (isWatch || pairs.some((pair) => pair.startsWith('watch'))) {
    const others = pairs.filter((pair) => !pair.startsWith('timeoutSeconds'));
    return `?${[...others, 'timeoutSeconds=1'].join('&')}`;
  }
  return pairs.length > 0 ? `?${pairs.join('&')}` : '';
}
