import { expect } from 'vitest';
import type {
  LocalSubjectAccessReview,
  ServiceAccount,
  SubjectAccessReview,
} from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';

const GROUP = 'authorization.k8s.io/v1';

area('sig-auth', 'SubjectReview', (spec) => {
  spec('should support SubjectReview API operations', async (context) => {
    const { cluster, namespace } = context;
    const accounts = context.resource<ServiceAccount>('v1', 'serviceaccounts');
    const { metadata } = await accounts.create({ metadata: { name: 'subject' } });
    const user = `system:serviceaccount:${namespace}:subject`;
    const resourceAttributes = { verb: 'list', resource: 'configmaps', version: 'v1', namespace };
    const groups = ['system:authenticated', 'system:serviceaccounts', `system:serviceaccounts:${namespace}`];
    const question = { resourceAttributes, user, uid: metadata.uid, groups };

    const everywhere = async (): Promise<boolean> => {
      const review = await cluster.api.json<SubjectAccessReview>(
        'POST',
        `/apis/${GROUP}/subjectaccessreviews`,
        { body: { kind: 'SubjectAccessReview', apiVersion: GROUP, spec: question } },
      );
      expect(review.spec.user).toBe(user);
      return review.status?.allowed ?? false;
    };
    const here = async (): Promise<boolean> => {
      const review = await cluster.api.json<LocalSubjectAccessReview>(
        'POST',
        `/apis/${GROUP}/namespaces/${namespace}/localsubjectaccessreviews`,
        {
          body: {
            kind: 'LocalSubjectAccessReview',
            apiVersion: GROUP,
            metadata: { namespace },
            spec: question,
          },
        },
      );
      return review.status?.allowed ?? false;
    };
    const impersonated = async (): Promise<number> => {
      const path = `/api/v1/namespaces/${namespace}/configmaps`;
      return (await cluster.api.raw('GET', path, { headers: { 'Impersonate-User': user } })).code;
    };

    expect([await everywhere(), await here(), await impersonated()]).toEqual([false, false, 403]);
    await context.resource('rbac.authorization.k8s.io/v1', 'rolebindings').create({
      metadata: { name: 'subject' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'ServiceAccount', name: 'subject', namespace }],
    } as object);
    expect([await everywhere(), await here(), await impersonated()]).toEqual([true, true, 200]);
  });
});
