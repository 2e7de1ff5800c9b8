import { describe, expect, it } from 'vitest';
import type { APIService } from '../../api/types.gen.ts';
import { MANAGED_LABEL, planRegistration, type RegistrationState } from './plan-registration.ts';

const service = (
  name: string,
  managed?: string,
  spec: Partial<APIService['spec'] & object> = {},
): APIService => {
  const [version = '', ...group] = name.split('.');
  return {
    metadata: { name, uid: name, ...(managed === undefined ? {} : { labels: { [MANAGED_LABEL]: managed } }) },
    spec: { group: group.join('.'), version, groupPriorityMinimum: 1000, versionPriority: 100, ...spec },
  };
};
const steps = (state: Partial<RegistrationState>): string[] =>
  planRegistration({ builtIn: [], custom: [], present: [], isStart: true, ...state }).map(
    ({ action, service: { metadata } }) => `${action} ${metadata.name}`,
  );

describe('local APIServices', () => {
  it('are made for what is served, with upstream priorities, but not for their own group', () => {
    const plan = planRegistration({
      builtIn: [
        { group: '', version: 'v1' },
        { group: 'apps', version: 'v1' },
        { group: 'autoscaling', version: 'v2' },
        { group: 'certificates.k8s.io', version: 'v1beta1' },
        { group: 'apiregistration.k8s.io', version: 'v1' },
      ],
      custom: [{ group: 'shop.example.com', version: 'v1alpha1' }],
      present: [],
      isStart: true,
    });
    expect(
      plan.map(({ action, service: { metadata, spec } }) => [
        action,
        metadata.name,
        metadata.labels?.[MANAGED_LABEL],
        spec?.groupPriorityMinimum,
        spec?.versionPriority,
      ]),
    ).toEqual([
      ['create', 'v1alpha1.shop.example.com', 'true', 1000, 100],
      ['create', 'v1.', 'onstart', 18_000, 1],
      ['create', 'v1.apps', 'onstart', 17_800, 15],
      ['create', 'v2.autoscaling', 'onstart', 17_500, 30],
      ['create', 'v1beta1.certificates.k8s.io', 'onstart', 17_300, 9],
    ]);
    expect(plan[1]?.service.spec).not.toHaveProperty('group');
  });

  it('are put right at the start, those of custom resources always', () => {
    const builtIn = [{ group: 'apps', version: 'v1' }];
    const custom = [{ group: 'a.example.com', version: 'v1' }];
    const changed = [
      service('v1.apps', 'onstart'),
      service('v1.a.example.com', 'true', { versionPriority: 5 }),
    ];
    expect(steps({ builtIn, custom, present: changed })).toEqual([
      'update v1.a.example.com',
      'update v1.apps',
    ]);
    expect(steps({ builtIn, custom, present: changed, isStart: false })).toEqual(['update v1.a.example.com']);
    expect(steps({ builtIn, custom, isStart: false })).toEqual(['create v1.a.example.com']);
    expect(steps({ custom, present: [service('v1.a.example.com', 'true')] })).toEqual([]);
  });

  it('go when nothing is served under their name, unless somebody else made them', () => {
    const present = [
      service('v1.gone.example.com', 'true'),
      service('v1alpha1.old', 'onstart'),
      service('v1.theirs.example.com'),
    ];
    expect(steps({ present })).toEqual(['delete v1.gone.example.com', 'delete v1alpha1.old']);
    expect(steps({ present, isStart: false })).toEqual(['delete v1.gone.example.com']);
    const custom = [{ group: 'theirs.example.com', version: 'v1' }];
    expect(steps({ custom, present: present.slice(2) })).toEqual([]);
  });
});
