import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types.gen.ts';
import { kernelHostname, podHosts, podNames } from './hosts.ts';
import { formatResolvConf, parseResolvConf, podDns } from './resolv-conf.ts';

const podOf = (spec: object): Pod => ({
  metadata: { name: 'web-0', namespace: 'shop' },
  spec: { containers: [], ...spec },
});
const cluster = { dns: ['10.43.0.10'], domain: 'cluster.local' };
const host = parseResolvConf('search lan.\nnameserver 192.168.1.1\noptions edns0\n');

describe('resolv.conf', () => {
  it('points at the cluster by default and at the node on request', () => {
    expect(formatResolvConf(podDns(podOf({}), cluster, host))).toBe(
      'search shop.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 10.43.0.10\noptions ndots:5\n',
    );
    const node = 'search lan\nnameserver 192.168.1.1\noptions edns0\n';
    expect(formatResolvConf(podDns(podOf({ dnsPolicy: 'Default' }), cluster, host))).toBe(node);
    expect(formatResolvConf(podDns(podOf({ hostNetwork: true }), cluster, host))).toBe(node);
    const withHost = podOf({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' });
    expect(podDns(withHost, cluster, host).nameservers).toEqual(['10.43.0.10']);
  });

  it('adds the pod’s own settings, its options winning', () => {
    const dnsConfig = {
      nameservers: ['1.1.1.1'],
      searches: ['own.example'],
      options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }],
    };
    expect(podDns(podOf({ dnsPolicy: 'None', dnsConfig }), cluster, host)).toEqual({
      nameservers: ['1.1.1.1'],
      searches: ['own.example'],
      options: ['ndots:2', 'rotate'],
    });
    expect(podDns(podOf({ dnsConfig }), cluster, host).options).toEqual(['ndots:2', 'rotate']);
  });
});

describe('names', () => {
  it('come from the pod, its hostname and subdomain', () => {
    expect(podNames(podOf({}), 'cluster.local', 'board')).toEqual({ hostname: 'web-0', domain: '' });
    const named = podOf({ hostname: 'db', subdomain: 'set', setHostnameAsFQDN: true });
    const names = podNames(named, 'cluster.local', 'board');
    expect(names.domain).toBe('set.shop.svc.cluster.local');
    expect(kernelHostname(named, names)).toBe('db.set.shop.svc.cluster.local');
    const long = podOf({ hostname: 'x'.repeat(60), subdomain: 'set', setHostnameAsFQDN: true });
    expect(() => kernelHostname(long, podNames(long, 'cluster.local', 'board'))).toThrow('is too long');
    expect(podNames(podOf({ hostNetwork: true }), 'cluster.local', 'board').hostname).toBe('board');
  });

  it('and aliases stand in the hosts file', () => {
    const pod = podOf({ subdomain: 'set', hostAliases: [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }] });
    const text = podHosts(pod, podNames(pod, 'cluster.local', 'board'), ['10.42.0.5'], '');
    expect(text).toContain('10.42.0.5\tweb-0.set.shop.svc.cluster.local\tweb-0\n');
    expect(text).toContain('1.2.3.4\ta\tb\n');
    const onHost = podOf({ hostNetwork: true });
    expect(podHosts(onHost, podNames(onHost, 'c', 'board'), [], '127.0.0.1 localhost\n')).toContain(
      '127.0.0.1 localhost\n',
    );
  });
});
