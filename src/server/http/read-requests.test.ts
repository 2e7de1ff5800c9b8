import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../lib/limits.ts';
import { ReadRequests } from './read-requests.ts';

describe('first lines of requests', () => {
  it('are read once, and told apart by method and query', () => {
    const requests = new ReadRequests();
    const url = '/api/v1/namespaces/a/pods';
    const create = requests.read('POST', url);
    expect(create).toMatchObject({ path: url, info: { verb: 'create', resource: 'pods', namespace: 'a' } });
    expect(requests.read('POST', url)).toBe(create);
    expect(requests.read('GET', url).info).toMatchObject({ verb: 'list' });
    const watch = requests.read('GET', `${url}?watch=1&labelSelector=a%3Db`);
    expect(watch).toMatchObject({ path: url, info: { verb: 'watch' } });
    expect(watch.query.get('labelSelector')).toBe('a=b');
    expect(requests.read('GET', url).query.has('watch')).toBe(false);
    expect(requests.read('GET', '/api/v1/pods/%zz').info).toBeUndefined();
  });

  it('are forgotten when they are too many, and never kept when they are long', () => {
    const requests = new ReadRequests();
    const first = requests.read('GET', '/readyz');
    for (let at = 1; at < LIMITS.http.knownRequests; at++) requests.read('GET', `/readyz?${at}`);
    expect(requests.read('GET', '/readyz')).toBe(first);
    requests.read('GET', '/livez');
    expect(requests.read('GET', '/readyz')).not.toBe(first);
    const long = 'x'.repeat(LIMITS.http.knownChars);
    expect(requests.read('GET', `/readyz?${long}`)).not.toBe(requests.read('GET', `/readyz?${long}`));
    // Over HTTP/2 a method may be as long as a header.
    expect(requests.read(long, '/readyz')).not.toBe(requests.read(long, '/readyz'));
  });
});
