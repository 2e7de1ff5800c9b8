import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NetworkPolicy, NetworkPolicySpec } from '../../src/api/types.gen.ts';
import { createExec } from '../../src/lib/exec.ts';
import { createNft, type Nft } from '../../src/lib/nft/nft.ts';
import { compilePolicies } from '../../src/netpolicy/compile.ts';
import type { PolicyPod } from '../../src/netpolicy/model.ts';
import { POLICY_TABLE, renderPolicies } from '../../src/netpolicy/render.ts';
import { unmountAll } from '../../src/runtime/ctr/mounts.ts';

/** What we write, held against what the kernel lists back, in a network namespace of our own. */
describe('network policy rules in the kernel', () => {
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

  const apply = async (to: Nft, state: State): Promise<void> => {
    const table = renderPolicies(compilePolicies({ ...state, namespaces }));
    if (table === undefined) await to.remove(POLICY_TABLE);
    else await to.apply(table);
  };
  const listed = async (): Promise<string> => await nft.list(POLICY_TABLE).catch(() => 'no table');

  it('reads back as written', async () => {
    await apply(nft, { pods, policies });
    await expect(await listed()).toMatchFileSnapshot('./policy-rules.nft');
  });

  it('starts no process when nothing changed', async () => {
    const before = exec.spawned;
    await apply(nft, { pods, policies });
    expect(exec.spawned).toBe(before);
  });

  it('gets from any state to any other as if it were written afresh', async () => {
    const states: readonly State[] = [
      { pods, policies },
      { pods: pods.slice(1), policies },
      { pods, policies: policies.slice(2) },
      { pods, policies: [] },
      { pods: pods.map((pod) => ({ ...pod, labels: { app: 'web' } })), policies },
      { pods, policies: policies.toReversed() },
    ];
    for (const state of states) {
      await apply(nft, state);
      const changed = normalize(await listed());
      await apply(fresh(), state);
      expect(changed).toEqual(normalize(await listed()));
      // The other one replaced the table behind the back of `nft`; the contents are the same, so it may go on.
    }
  });

  it('leaves nothing when no pod of the node is selected', async () => {
    await apply(nft, { pods: pods.map((pod) => ({ ...pod, isLocal: false })), policies });
    expect(await listed()).toBe('no table');
  });
});

interface State {
  readonly pods: readonly PolicyPod[];
  readonly policies: readonly NetworkPolicy[];
}

/** Objects come back in the order they were made; the order of rules within a chain is what matters. */
function normalize(listing: string): readonly string[] {
  return listing
    .replace(/\n\t\t\t {2,}/g, ' ')
    .split('\n\n')
    .map((block) =>
      block
        .replace(/^table inet kedge-policy \{\n/, '')
        .replace(/\}\s*$/, '')
        .replace(/\n\t\}\s*$/, '')
        .trim(),
    )
    .map((block) =>
      block.replace(/elements = \{ (.*?) \}/s, (_, list: string) => list.split(/,\s+/).toSorted().join('\n')),
    )
    .toSorted();
}

const namespaces = new Map<string, Readonly<Record<string, string>>>([
  ['default', {}],
  ['other', { team: 'blue' }],
]);
const pod = (
  namespace: string,
  app: string,
  ips: readonly string[],
  more: Partial<PolicyPod> = {},
): PolicyPod => ({ namespace, labels: { app }, ips, ports: [], isLocal: true, ...more });

const pods = [
  pod('default', 'web', ['10.42.0.2', 'fd42::2'], {
    ports: [{ name: 'http', protocol: 'tcp', port: 8080 }],
  }),
  pod('default', 'db', ['10.42.0.3', 'fd42::3']),
  pod('default', 'web', ['10.42.1.2', 'fd42:0:0:1::2'], {
    ports: [{ name: 'http', protocol: 'tcp', port: 8081 }],
    isLocal: false,
  }),
  pod('other', 'client', ['10.42.1.3'], { isLocal: false }),
  pod('other', 'free', ['10.42.0.4']),
];

const policy = (name: string, spec: NetworkPolicySpec): NetworkPolicy => ({
  metadata: { namespace: 'default', name },
  spec,
});
const web = { matchLabels: { app: 'web' } };

const policies = [
  policy('deny-all', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }),
  policy('web-by-name', {
    podSelector: web,
    ingress: [
      { from: [{ namespaceSelector: { matchLabels: { team: 'blue' } } }], ports: [{ port: 'http' }] },
      { ports: [{ port: 'http', protocol: 'UDP' }] },
    ],
  }),
  policy('db-from-web', {
    podSelector: { matchLabels: { app: 'db' } },
    ingress: [
      {
        from: [{ podSelector: web }],
        ports: [
          { port: 5432 },
          { port: 6000, endPort: 6100 },
          { port: 53, protocol: 'UDP' },
          { protocol: 'SCTP' },
        ],
      },
    ],
  }),
  policy('blocks', {
    podSelector: web,
    policyTypes: ['Egress', 'Ingress'],
    egress: [
      {
        to: [
          { ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8', '10.42.0.0/16'] } },
          { ipBlock: { cidr: '::/0', except: ['fd00::/8'] } },
        ],
        ports: [{ port: 443 }],
      },
      { to: [{ podSelector: {} }], ports: [{ port: 'http' }] },
    ],
    ingress: [{ from: [{ ipBlock: { cidr: '192.0.2.7/24' } }] }],
  }),
];
