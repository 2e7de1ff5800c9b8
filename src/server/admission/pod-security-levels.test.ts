import { describe, expect, it } from 'vitest';
import type { Container, PodSpec } from '../../api/types.gen.ts';
import { type Level, violations } from './pod-security-levels.ts';

const pod = (container: Partial<Container>, more: Partial<PodSpec> = {}): PodSpec => ({
  containers: [{ name: 'a', image: 'busybox', ...container }],
  ...more,
});
const isAllowed = (spec: PodSpec, level: Level, version?: string) =>
  violations(spec, level, version === undefined ? {} : { version }).length === 0;

describe('what a level asks', () => {
  it('is what the version asked for asks', () => {
    const probed = pod({ livenessProbe: { httpGet: { host: '10.0.0.1', port: 80 } } });
    expect(isAllowed(probed, 'baseline')).toBe(false);
    expect(isAllowed(probed, 'baseline', 'v1.34')).toBe(false);
    expect(isAllowed(probed, 'baseline', 'v1.33')).toBe(true);
    const kept = pod({
      securityContext: {
        allowPrivilegeEscalation: false,
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    });
    expect(isAllowed(kept, 'restricted', 'v1.22')).toBe(false);
    expect(isAllowed(kept, 'restricted', 'v1.21')).toBe(true);
  });

  it('sees annotations of AppArmor', () => {
    const of = (profile: string) =>
      violations(pod({}), 'baseline', {
        annotations: { 'container.apparmor.security.beta.kubernetes.io/a': profile },
      });
    expect(of('unconfined')).toHaveLength(1);
    expect(of('localhost/mine')).toEqual([]);
  });

  it('is less of pods with users of their own, at the versions that know them', () => {
    const unmasked = pod({ securityContext: { procMount: 'Unmasked' } }, { hostUsers: false });
    expect(isAllowed(unmasked, 'baseline')).toBe(true);
    expect(isAllowed(unmasked, 'baseline', 'v1.34')).toBe(false);
    expect(isAllowed({ ...unmasked, hostUsers: true }, 'baseline')).toBe(false);
    expect(violations(unmasked, 'restricted').join()).toContain('procMount');
  });

  it('is less of pods for Windows', () => {
    const windows = pod({ securityContext: { runAsNonRoot: true } }, { os: { name: 'windows' } });
    expect(isAllowed(windows, 'restricted')).toBe(true);
    expect(isAllowed(windows, 'restricted', 'v1.24')).toBe(false);
    expect(isAllowed({ ...windows, os: { name: 'linux' } }, 'restricted')).toBe(false);
  });
});
