import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import { startTestHttp, type TestHttp } from '../http/test-http.fake.ts';
import { podSecurity } from './pod-security.ts';
import { existingPodWarnings } from './pod-security-namespace.ts';

const NAMESPACES = '/api/v1/namespaces';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const label = (name: string, value: string | null) => ({ [`pod-security.kubernetes.io/${name}`]: value });
const labelled = (labels: object) => ({ metadata: { labels } });

describe('labels of a namespace', () => {
  let http: TestHttp;
  beforeEach(async () => {
    http = await startTestHttp({ admission: [podSecurity()] });
  });
  afterEach(() => http.stop());
  const setLabels = (labels: object) => http.send('PATCH', `${NAMESPACES}/default`, labelled(labels), MERGE);

  it('must be understood', async () => {
    const labels = { ...label('enforce', 'bogus'), ...label('warn-version', 'v9') };
    const { code, json } = await http.send('POST', NAMESPACES, { metadata: { name: 'new', labels } });
    expect(code).toBe(422);
    expect(json.message).toBe(
      'Namespace "new" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "bogus": must be one of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "v9": must be "latest" or "v1.x"]',
    );
    expect((await setLabels(label('audit', 'none'))).code).toBe(422);
    expect(
      (await setLabels({ ...label('audit', 'baseline'), ...label('audit-version', 'v1.30') })).code,
    ).toBe(200);
  });

  it('that become stricter warn of the pods that are there', async () => {
    const containers = [{ name: 'a', image: 'busybox' }];
    for (const name of ['one', 'two', 'tame']) {
      const spec = { containers, ...(name === 'tame' ? {} : { hostNetwork: true }) };
      await http.send('POST', `${NAMESPACES}/default/pods`, { metadata: { name }, spec });
    }
    const { headers } = await setLabels(label('enforce', 'baseline'));
    expect(headers['warning']).toEqual([
      '299 - "existing pods in namespace \\"default\\" violate the new PodSecurity enforce level \\"baseline:latest\\""',
      '299 - "one (and 1 other pod): host namespaces"',
    ]);
    expect((await setLabels(label('enforce', 'privileged'))).headers['warning']).toBeUndefined();
  });
});

describe('warnings of existing pods', () => {
  const pod = (name: string, owner?: string): Pod => ({
    metadata: {
      name,
      ...(owner === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: 'v1', kind: 'A', name: owner, uid: owner, controller: true }] }),
    },
    spec: { hostPID: true, containers: [{ name: 'a' }] },
  });
  const level = { level: 'baseline', version: 'v1.30' } as const;

  it('name one of many alike', () => {
    const warnings = existingPodWarnings([pod('c'), pod('b'), pod('a')], 'x', level);
    expect(warnings[1]).toBe('c (and 2 other pods): host namespaces');
    expect(existingPodWarnings([], 'x', level)).toEqual([]);
  });

  it('come of so many pods, one of each controller first', () => {
    const many = Array.from({ length: LIMITS.admission.podSecurityPods }, (_, at) =>
      pod(`of-one-${at}`, 'one'),
    );
    const [first, , third] = existingPodWarnings([...many, pod('alone')], 'x', level);
    const { podSecurityPods: all } = LIMITS.admission;
    expect(first).toBe(
      `new PodSecurity enforce level only checked against the first ${all} of ${all + 1} existing pods`,
    );
    expect(third).toBe(`of-one-0 (and ${all - 1} other pods): host namespaces`);
  });
});
