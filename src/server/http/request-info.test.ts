import { describe, expect, it } from 'vitest';
import { parseRequest } from './request-info.ts';

const parse = (method: string, url: string) => {
  const [path = '', query = ''] = url.split('?');
  return parseRequest(method, path, new URLSearchParams(query));
};

describe('parseRequest', () => {
  it.each([
    [
      'GET',
      '/api/v1/pods',
      { verb: 'list', group: '', version: 'v1', resource: 'pods', namespace: '', name: '' },
    ],
    ['GET', '/api/v1/pods?watch=true', { verb: 'watch', resource: 'pods' }],
    ['GET', '/api/v1/pods?watch=false', { verb: 'list', resource: 'pods' }],
    ['GET', '/api/v1/watch/namespaces/a/pods', { verb: 'watch', namespace: 'a', resource: 'pods' }],
    [
      'GET',
      '/apis/apps/v1/namespaces/a/deployments/web',
      { verb: 'get', group: 'apps', namespace: 'a', name: 'web' },
    ],
    ['PATCH', '/apis/apps/v1/namespaces/a/deployments/web/scale', { verb: 'patch', subresource: 'scale' }],
    ['GET', '/api/v1/namespaces/a', { verb: 'get', resource: 'namespaces', name: 'a', namespace: 'a' }],
    [
      'PUT',
      '/api/v1/namespaces/a/finalize',
      { verb: 'update', resource: 'namespaces', name: 'a', subresource: 'finalize' },
    ],
    ['DELETE', '/api/v1/namespaces/a/secrets', { verb: 'deletecollection', resource: 'secrets', name: '' }],
    ['GET', '/api/v1/pods?fieldSelector=metadata.name%3Dx', { verb: 'list', name: 'x' }],
    ['GET', '/api/v1/secrets?fieldSelector=type!%3D%5C,metadata.name%3Dx', { verb: 'list', name: '' }],
    [
      'GET',
      '/api/v1/namespaces/a/services/web:http/proxy/x/y',
      { resource: 'services', name: 'web:http', subresource: 'proxy', rest: 'x/y' },
    ],
    ['GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode', { name: 'system:node' }],
  ])('%s %s', (method, url, expected) => {
    expect(parse(method, url)).toMatchObject({ isResource: true, ...expected });
  });

  it.each(['/api', '/api/v1', '/apis/apps/v1', '/healthz', '/apis/'])('%s is no resource', (path) => {
    expect(parse('GET', path)).toEqual({ isResource: false, path, verb: 'get' });
  });

  it('refuses broken escapes', () => {
    expect(parse('GET', '/api/v1/pods/%zz')).toBeUndefined();
  });
});
