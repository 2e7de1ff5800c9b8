import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Endpoint, EndpointSlice, Service, ServiceSpec } from '../../src/api/types.gen.ts';
import { createExec } from '../../src/lib/exec.ts';
import { createNft, type Nft } from '../../src/lib/nft/nft.ts';
import type { NftTable } from '../../src/lib/nft/table.ts';
import { planServices } from '../../src/network/services/plan.ts';
import { renderServices, SERVICE_TABLE } from '../../src/network/services/render.ts';
import { unmountAll } from '../../src/runtime/ctr/mounts.ts';

/** What we write, held against what the kernel lists back, in a network namespace of our own. */
describe('service rules in the kernel', () => {
  const exec = createExec();
  let dir = '';
  let nft: Nft;
  const fresh = (): Nft => createNft({ exec, prefix: ['nsenter', `--net=${join(dir, 'net')}`] });

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kedge-golden-'));
    await writeFile(join(dir, 'net'), '');
    await exec.run(['unshare', `--net=${join(dir, 'net')}`, 'true']);
    nft = fresh();
  });
  afterAll(async () => {
    await unmountAll(exec, dir);
    await rm(dir, { recursive: true });
  });

  it('reads back as written', async () => {
    await nft.apply(tableOf(everything()));
    await expect(await nft.list(SERVICE_TABLE)).toMatchFileSnapshot('./service-rules.nft');
  });

  it('starts no process when nothing changed', async () => {
    const before = exec.spawned;
    expect(await nft.apply(tableOf(everything()))).toBe(false);
    expect(exec.spawned).toBe(before);
  });

  it('gets from any state to any other as if it were written afresh', async () => {
    const states = [
      everything(),
      everything().slice(1),
      [],
      everything().slice(0, 2).map(withoutEndpoints),
      everything(),
    ];
    for (const state of states) {
      await nft.apply(tableOf(state));
      const changed = normalize(await nft.list(SERVICE_TABLE));
      const anew = fresh();
      await anew.apply(tableOf(state));
      expect(changed).toEqual(normalize(await nft.list(SERVICE_TABLE)));
      // `anew` replaced the table behind the back of `nft`; the contents are the same, so it may go on.
    }
  });

  it('recovers when somebody flushed the ruleset', async () => {
    await nft.apply(tableOf(everything()));
    await exec.run(['nsenter', `--net=${join(dir, 'net')}`, 'nft', 'flush', 'ruleset']);
    await nft.apply(tableOf(everything().slice(1)));
    expect(await nft.list(SERVICE_TABLE)).toContain('default/udp/udp/53');
  });

  it('leaves nothing when removed, twice without harm', async () => {
    await nft.remove(SERVICE_TABLE);
    await nft.remove(SERVICE_TABLE);
    await expect(nft.list(SERVICE_TABLE)).rejects.toThrow(/No such file or directory/);
  });
});

/** Objects come back in the order they were made; the order of rules within a chain is what matters. */
function normalize(listing: string): readonly string[] {
  return listing
    .replace(/\n\t\t\t {2,}/g, ' ')
    .split('\n\n')
    .map((block) =>
      block
        .replace(/^table inet kedge \{\n/, '')
        .replace(/\}\s*$/, '')
        .replace(/\n\t\}\s*$/, '')
        .trim(),
    )
    .map((block) =>
      block.replace(/elements = \{ (.*?) \}/s, (_, list: string) => list.split(/,\s+/).toSorted().join('\n')),
    )
    .toSorted();
}

interface Case {
  readonly service: Service;
  readonly slice: EndpointSlice;
}

function tableOf(cases: readonly Case[]): NftTable {
  const ruleset = planServices({
    services: cases.map(({ service }) => service),
    endpointSlices: cases.map(({ slice }) => slice),
    nodeName: 'here',
    localIPs: [],
  });
  return renderServices(ruleset, { clusterCIDRs: ['10.42.0.0/16', 'fd42::/56'] });
}

const withoutEndpoints = ({ service, slice }: Case): Case => ({
  service,
  slice: { ...slice, endpoints: [] },
});

function everything(): readonly Case[] {
  const two: Endpoint[] = [
    { addresses: ['10.42.0.2'], nodeName: 'here' },
    { addresses: ['10.42.1.2'], nodeName: 'there' },
  ];
  const make = (
    name: string,
    spec: ServiceSpec,
    endpoints: Endpoint[],
    status?: Service['status'],
  ): Case => ({
    service: {
      metadata: { namespace: 'default', name },
      spec: { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP' }], ...spec },
      ...(status ? { status } : {}),
    },
    slice: {
      metadata: { namespace: 'default', name, labels: { 'kubernetes.io/service-name': name } },
      addressType: spec.clusterIP?.includes(':') ? 'IPv6' : 'IPv4',
      ports: (spec.ports ?? [{ port: 80, protocol: 'TCP' }]).map(({ protocol }) => ({
        name: '',
        port: 8080,
        ...(protocol ? { protocol } : {}),
      })),
      endpoints,
    },
  });
  return [
    make('plain', { clusterIP: '10.43.0.2' }, two),
    make('udp', { clusterIP: '10.43.0.3', ports: [{ port: 53, protocol: 'UDP' }] }, two),
    make('sctp', { clusterIP: '10.43.0.4', ports: [{ port: 3868, protocol: 'SCTP' }] }, two.slice(0, 1)),
    make('sticky', { clusterIP: '10.43.0.5', sessionAffinity: 'ClientIP' }, two),
    make('empty', { clusterIP: '10.43.0.6', externalIPs: ['192.0.2.6'] }, []),
    make(
      'node',
      { clusterIP: '10.43.0.7', type: 'NodePort', ports: [{ port: 80, protocol: 'TCP', nodePort: 30007 }] },
      two,
    ),
    make(
      'local',
      {
        clusterIP: '10.43.0.8',
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        internalTrafficPolicy: 'Local',
        loadBalancerSourceRanges: ['198.51.100.0/24', '203.0.113.0/24'],
        ports: [{ port: 80, protocol: 'TCP', nodePort: 30008 }],
      },
      two,
      { loadBalancer: { ingress: [{ ip: '192.0.2.8' }] } },
    ),
    make(
      'elsewhere',
      {
        clusterIP: '10.43.0.9',
        type: 'NodePort',
        externalTrafficPolicy: 'Local',
        internalTrafficPolicy: 'Local',
        ports: [{ port: 80, protocol: 'TCP', nodePort: 30009 }],
      },
      two.slice(1),
    ),
    make('six', { clusterIP: 'fd43::a' }, [{ addresses: ['fd42::2'] }, { addresses: ['fd42::3'] }]),
  ];
}
