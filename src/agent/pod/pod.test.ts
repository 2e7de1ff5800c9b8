import { describe, expect, it } from 'vitest';
import type { Container, Pod } from '../../api/types.gen.ts';
import { oomScoreAdj, podCgroup, qosClass } from './qos.ts';
import { containerResources } from './resources.ts';
import { shouldRestart } from './restart.ts';
import { containerSecurity } from './security.ts';
import type { ContainerRecord } from './state.ts';
import { statusPatch } from './status-writer.ts';

const podOf = (resources: object[], spec: object = {}): Pod => ({
  metadata: { name: 'web', namespace: 'shop', uid: 'u' },
  spec: { containers: resources.map((entry, index) => ({ name: `c${index}`, resources: entry })), ...spec },
});
const both = (cpu: string, memory: string) => ({ cpu, memory });
const GIB = 2 ** 30;

describe('quality of service', () => {
  it.each([
    [[{}], 'BestEffort'],
    [[{ limits: both('1', '1Gi') }], 'Guaranteed'],
    [[{ limits: both('1', '1Gi'), requests: both('1000m', '1024Mi') }], 'Guaranteed'],
    [[{ limits: both('1', '1Gi') }, {}], 'Burstable'],
    [[{ requests: { cpu: '1m' } }], 'Burstable'],
  ])('of %j is %s', (resources, qos) => {
    expect(qosClass(podOf(resources))).toBe(qos);
  });

  it('decides cgroup and whom the kernel kills first', () => {
    const burstable = podOf([{ requests: { memory: '256Mi' } }]);
    const [container] = burstable.spec?.containers ?? [];
    expect(podCgroup(burstable, 'kedge')).toBe('kedge/pods/burstable/podu');
    expect(oomScoreAdj(burstable, container as Container, GIB)).toBe(750);
    const best = podOf([{}]);
    expect(oomScoreAdj(best, best.spec?.containers[0] as Container, GIB)).toBe(1000);
  });

  it('turns requests and limits into the kernel’s numbers', () => {
    const pod = podOf([{ limits: both('500m', '64Mi'), requests: { cpu: '250m' } }]);
    expect(containerResources(pod, pod.spec?.containers[0] as Container, GIB)).toMatchObject({
      cpuShares: 256,
      cpuQuotaMicros: 50_000,
      cpuPeriodMicros: 100_000,
      memoryLimitBytes: 64 * 2 ** 20,
    });
    expect(containerResources(podOf([{}]), { name: 'c0' }, GIB)).toEqual({ cpuShares: 2, oomScoreAdj: 1000 });
  });
});

describe('restart policy', () => {
  const record = (kind: ContainerRecord['kind'], spec: object = {}): ContainerRecord =>
    ({ kind, spec: { name: 'c', ...spec } }) as ContainerRecord;
  it.each([
    ['Always', 'main', {}, 0, true],
    ['OnFailure', 'main', {}, 0, false],
    ['OnFailure', 'main', {}, 1, true],
    ['Never', 'main', {}, 1, false],
    ['Always', 'init', {}, 0, false],
    ['Always', 'init', {}, 1, true],
    ['Never', 'init', {}, 1, false],
    ['Never', 'sidecar', {}, 0, true],
    ['Always', 'ephemeral', {}, 1, false],
    ['Never', 'main', { restartPolicy: 'OnFailure' }, 1, true],
    [
      'Never',
      'main',
      { restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }] },
      42,
      true,
    ],
    [
      'Never',
      'main',
      { restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }] },
      1,
      false,
    ],
  ] as const)('%s, %s container %j that exits with %i: %s', (restartPolicy, kind, spec, exitCode, again) => {
    expect(shouldRestart(podOf([], { restartPolicy }), record(kind, spec), exitCode)).toBe(again);
  });
});

describe('security', () => {
  it('lets the container’s word win over the pod’s', () => {
    const pod = podOf([], {
      securityContext: { runAsUser: 1, runAsGroup: 2, fsGroup: 3, supplementalGroups: [4] },
    });
    const container = { name: 'main', securityContext: { runAsUser: 9, privileged: false } };
    expect(containerSecurity(pod, container, '')).toMatchObject({
      runAsUser: 9,
      runAsGroup: 2,
      supplementalGroups: [4, 3],
      seccomp: 'Unconfined',
      allowPrivilegeEscalation: true,
    });
  });
  it.each([
    [{}, '', 'container has runAsNonRoot and image will run as root (pod: "web_shop(u)", container: main)'],
    [
      { runAsUser: 0 },
      '7',
      'container\'s runAsUser breaks non-root policy (pod: "web_shop(u)", container: main)',
    ],
    [
      {},
      'web',
      'container has runAsNonRoot and image has non-numeric user (web), cannot verify user is non-root',
    ],
  ])('refuses root where it must not be: %j, image user %j', (own, imageUser, message) => {
    const container = { name: 'main', securityContext: { runAsNonRoot: true, ...own } };
    expect(() => containerSecurity(podOf([]), container, imageUser)).toThrow(message);
  });
});

describe('status patch', () => {
  it('carries our conditions that changed, drops old addresses and clears what is over', () => {
    const condition = { type: 'Ready', status: 'True', lastTransitionTime: 't' };
    const same = { type: 'Initialized', status: 'True', lastTransitionTime: 't' };
    expect(
      statusPatch(
        'u',
        {
          reason: 'X',
          podIPs: [{ ip: '1' }],
          conditions: [{ ...condition, status: 'False', reason: 'R' }, same],
        },
        { phase: 'Running', podIP: '2', podIPs: [{ ip: '2' }], conditions: [condition, same] },
      ),
    ).toEqual({
      metadata: { uid: 'u' },
      status: {
        phase: 'Running',
        reason: null,
        podIP: '2',
        podIPs: [{ $patch: 'delete', ip: '1' }, { ip: '2' }],
        conditions: [{ ...condition, reason: null, message: null }],
      },
    });
  });
});
