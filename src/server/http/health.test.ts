import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryDatastore } from '../../datastore/memory.ts';
import type { Datastore } from '../../datastore/port.ts';
import { startTestHttp, type TestHttp } from './test-http.fake.ts';

let http: TestHttp;
let isBroken = false;
beforeAll(async () => {
  const memory = createMemoryDatastore();
  const datastore = new Proxy<Datastore>(memory, {
    get(target, property) {
      if (property === 'get' && isBroken) return () => Promise.reject(new Error('disk on fire'));
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  http = await startTestHttp({ datastore });
});
afterAll(() => http.stop());

const text = async (path: string) => {
  const { code, text: body } = await http.send('GET', path);
  return `${code} ${body}`;
};

describe('health', () => {
  it('is spelled as upstream spells it', async () => {
    expect(await text('/livez')).toBe('200 ok');
    expect(await text('/livez?verbose')).toBe(`200 [+]ping ok
[+]etcd ok
[+]poststarthook/rbac/bootstrap-roles ok
[+]poststarthook/bootstrap-controller ok
[+]poststarthook/priority-and-fairness-config-producer ok
livez check passed
`);
    expect(await text('/readyz/shutdown')).toBe('200 ok');
    expect(await text('/readyz/poststarthook/bootstrap-controller')).toBe('200 ok');
    expect(await text('/readyz/none')).toBe('404 404 page not found\n');
    expect(await text('/readyz?verbose&exclude=etcd&exclude=none')).toContain(
      '[+]etcd excluded: ok\n[+]poststarthook/rbac',
    );
    expect(await text('/readyz?verbose&exclude=none')).toContain(
      '\nwarn: some health checks cannot be excluded: no matches for "none"\nreadyz check passed\n',
    );
  });

  it('fails with the storage, and says why only to those who ask for the check', async () => {
    isBroken = true;
    expect(await text('/readyz')).toContain('500 [+]ping ok\n[-]etcd failed: reason withheld\n');
    expect(await text('/readyz')).toMatch(/\nreadyz check failed\n$/);
    expect(await text('/readyz/etcd')).toBe('500 internal server error: disk on fire\n');
    expect(await text('/readyz?exclude=etcd')).toBe('200 ok');
    isBroken = false;
  });

  it('answers without a credential, and nothing else does', async () => {
    const anonymous = { authorization: '' };
    expect((await http.send('GET', '/readyz', undefined, anonymous)).code).toBe(200);
    for (const path of ['/version', '/metrics', '/api', '/readyz/ping', '/openapi/v3', '/api/v1/pods']) {
      const { code, json } = await http.send('GET', path, undefined, anonymous);
      expect(json, path).toEqual({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'Unauthorized',
        reason: 'Unauthorized',
        code: 401,
      });
      expect(code).toBe(401);
    }
  });
});
