import { expect } from 'vitest';
import { area } from '../area.ts';

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

area('sig-api-machinery', 'Servers with support for Table transformation', (spec) => {
  spec('should return a 406 for a backend which does not implement metadata', async ({ cluster }) => {
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    const body = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { namespace: 'default', verb: 'get', resource: 'pods' } },
    };
    const answer = await cluster.api.raw('POST', path, { body, accept: TABLE });
    expect(answer.code).toBe(406);
    expect(JSON.parse(answer.text)).toMatchObject({ kind: 'Status', reason: 'NotAcceptable', code: 406 });
    expect((await cluster.api.raw('POST', path, { body, accept: `${TABLE},application/json` })).code).toBe(
      201,
    );
  });
});
