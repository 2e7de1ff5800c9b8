import { expect } from 'vitest';
import type {
  ClusterTrustBundle,
  ClusterTrustBundleProjection,
  Volume,
  VolumeMount,
} from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { ended, logOf, outputOf } from '../pod-output.ts';
import { idleContainer, pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';
import { testAuthority } from './test-authority.ts';

const LONG = { timeoutMs: 150_000 };
const FOLDER = '/var/run/ctbtest';

interface Bundles {
  readonly signerOne: string;
  /** Name of the one without a signer. */
  readonly unsigned: string;
  readonly pems: { readonly alive: string[]; readonly dead: string[]; readonly unsigned: string };
}

const bundlesOf = ({ cluster }: SpecContext) =>
  cluster.resource<ClusterTrustBundle>('certificates.k8s.io/v1', 'clustertrustbundles');

async function create(
  context: SpecContext,
  name: string,
  trustBundle: string,
  signerName?: string,
  labels: Record<string, string> = {},
): Promise<void> {
  const spec = { trustBundle, ...(signerName === undefined ? {} : { signerName }) };
  await bundlesOf(context).create({ metadata: { name, labels }, spec });
  context.defer(async () => await bundlesOf(context).delete(name));
}

/** Bundles of two signers, some of them of signers that are no more, and one without a signer. */
async function bundles(context: SpecContext): Promise<Bundles> {
  const end = context.unique('spec');
  const pems = { alive: [] as string[], dead: [] as string[], unsigned: testAuthority(`plain-${end}`) };
  for (const signer of ['one', 'two'])
    for (let index = 0; index < 4; index++) {
      const isAlive = index % 2 === 0;
      const pem = testAuthority(`${signer}-${index}-${end}`);
      if (signer === 'one') pems[isAlive ? 'alive' : 'dead'].push(pem);
      const labels = { 'signer.alive': String(isAlive) };
      await create(
        context,
        `test.test:signer-${signer}${end}:${index}`,
        pem,
        `test.test/signer-${signer}${end}`,
        labels,
      );
    }
  const unsigned = `test.test.signer-one.4${end}`;
  await create(context, unsigned, pems.unsigned);
  return { signerOne: `test.test/signer-one${end}`, unsigned, pems };
}

const projected = (name: string, ...sources: ClusterTrustBundleProjection[]): Volume => ({
  name,
  projected: { sources: sources.map((clusterTrustBundle) => ({ clusterTrustBundle })) },
});

/** What the pod sees: all certificates, each as it was given, in any order, and the usual mode. */
async function sees(
  context: SpecContext,
  name: string,
  source: ClusterTrustBundleProjection,
  pems: readonly string[],
): Promise<void> {
  const file = `${FOLDER}/${source.path}`;
  const output = await outputOf(context, {
    name,
    run: `stat -L -c %a ${file}; cat ${file}`,
    container: { volumeMounts: [{ name: 'ctb-volume', mountPath: FOLDER }] },
    spec: { volumes: [projected('ctb-volume', source)] },
  });
  isJust(output, pems);
}

function isJust(output: string, pems: readonly string[]): void {
  const [mode, ...lines] = output.split('\n');
  expect(mode).toBe('644');
  const blocks =
    lines.join('\n').match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n/g) ?? [];
  expect(blocks.toSorted()).toEqual(pems.map((pem) => `${pem.trim()}\n`).sort());
  expect(blocks.join('').length).toBe(lines.join('\n').length);
}

area('sig-auth', '[FeatureGate:ClusterTrustBundle] [FeatureGate:ClusterTrustBundleProjection]', (spec) => {
  const TAG = '[MinimumKubeletVersion:1.37]';
  spec(
    `should be able to mount a single ClusterTrustBundle by name ${TAG}`,
    async (context) => {
      const { unsigned, pems } = await bundles(context);
      const path = 'trust-anchors.pem';
      await sees(context, 'existing', { name: unsigned, path }, [pems.unsigned]);
      await sees(context, 'absent', { name: 'does-not-exist.at.all', path, optional: true }, []);
    },
    LONG,
  );

  const combined = (
    text: string,
    more: Partial<ClusterTrustBundleProjection>,
    expected: (pems: Bundles['pems']) => readonly string[],
  ) =>
    spec(
      `should be capable to mount multiple trust bundles by signer+labels ${text} ${TAG}`,
      async (context) => {
        const { signerOne, pems } = await bundles(context);
        const source = { path: 'trust-bundle.crt', signerName: signerOne, ...more };
        await sees(context, 'combined', source, expected(pems));
      },
      LONG,
    );
  combined(
    'can combine multiple CTBs with signer name and label selector',
    { labelSelector: { matchLabels: { 'signer.alive': 'true' } } },
    ({ alive }) => alive,
  );
  combined(
    'should start if only signer name and nil label selector + optional=true',
    { optional: true },
    () => [],
  );
  combined(
    'should start if only signer name and explicit label selector matches nothing + optional=true',
    { optional: true, labelSelector: { matchLabels: { thismatches: 'nothing' } } },
    () => [],
  );
  combined('can combine all signer CTBs with an empty label selector', { labelSelector: {} }, (pems) => [
    ...pems.alive,
    ...pems.dead,
  ]);

  const prevented = (text: string, more: Partial<ClusterTrustBundleProjection>, why: RegExp) =>
    spec(
      `should prevent a pod from starting if: ${text} ${TAG}`,
      async (context) => {
        const { signerOne } = await bundles(context);
        const source = { path: 'trust-bundle.crt', optional: false, ...more };
        if (source.labelSelector) source.signerName = signerOne;
        const mount = { volumeMounts: [{ name: 'ctb-volume', mountPath: FOLDER }] };
        const volumes = [projected('ctb-volume', source)];
        await context.pods.create(pod('prevented', mount, { volumes, restartPolicy: 'Never' }));
        const isWaiting = async () => {
          const { status } = await context.pods.get('prevented');
          const ready = status?.conditions?.find(({ type }) => type === 'Ready');
          return (
            status?.phase === 'Pending' &&
            ready?.status === 'False' &&
            ready.reason === 'ContainersNotReady' &&
            ready.message === 'containers with unready status: [main]'
          );
        };
        await context.until('the pod to wait', isWaiting);
        await context.throughout('it waits', 5_000, isWaiting);
        const { items } = await context
          .resource<{ metadata: object; message?: string }>('v1', 'events')
          .list({ fieldSelector: 'involvedObject.name=prevented,reason=FailedMount' });
        expect(items[0]?.message).toMatch(why);
      },
      LONG,
    );
  prevented(
    'sets optional=false and no trust bundle matches query',
    { labelSelector: { matchLabels: { 'signer.alive': 'unknown' } } },
    /combination of signerName and labelSelector matched zero ClusterTrustBundles/,
  );
  prevented(
    'sets optional=false and the configured CTB does not exist',
    { name: 'does-not-exist' },
    /clustertrustbundle "does-not-exist" not found/,
  );

  spec(
    `should be able to specify multiple CTB volumes ${TAG}`,
    async (context) => {
      const { unsigned, signerOne, pems } = await bundles(context);
      const labelSelector = { matchLabels: { 'signer.alive': 'false' } };
      const wanted = [
        [{ name: unsigned, path: 'trust-anchors.pem' }, [pems.unsigned]],
        [{ signerName: signerOne, labelSelector, path: 'trust-bundle.crt' }, pems.dead],
      ] as const;
      const containers = wanted.map(([{ path }], index) =>
        idleContainer({
          name: `reader-${index}`,
          command: ['sh', '-c', `stat -L -c %a ${FOLDER}/${path}; cat ${FOLDER}/${path}`],
          volumeMounts: [{ name: `ctb-volume-${index}`, mountPath: FOLDER }],
        }),
      );
      const volumes = wanted.map(([source], index) => projected(`ctb-volume-${index}`, source));
      await context.pods.create({
        metadata: { name: 'two' },
        spec: { restartPolicy: 'Never', containers, volumes },
      });
      expect((await ended(context, 'two')).status?.phase).toBe('Succeeded');
      for (const [index, [, expected]] of wanted.entries())
        isJust(await logOf(context, 'two', `reader-${index}`), expected);
    },
    LONG,
  );

  spec(
    `should be able to mount a big number (>100) of CTBs ${TAG}`,
    async (context) => {
      const COUNT = 150;
      const end = context.unique('spec');
      const signerName = `test.test/signer-hundreds${end}`;
      const pem = Array.from({ length: COUNT }, (_, index) => testAuthority(`root${index}`));
      const nameOf = (index: number) => `test.test:signer-hundreds${end}:${index}`;
      for (const [index, trustBundle] of pem.entries())
        await create(context, nameOf(index), trustBundle, signerName);
      const sources = pem.map((_, index) => ({ name: nameOf(index), path: `trust-anchors-${index}.pem` }));
      const chosen = Math.floor(Math.random() * COUNT);
      const reads = async (name: string, file: string, volumes: Volume[], volumeMounts: VolumeMount[]) =>
        isJust(
          await outputOf(context, {
            name,
            run: `stat -L -c %a ${file}; cat ${file}`,
            container: { volumeMounts },
            spec: { volumes },
          }),
          [pem[chosen] ?? ''],
        );
      const file = `trust-anchors-${chosen}.pem`;
      await reads(
        'one-volume',
        `${FOLDER}/${file}`,
        [projected('all', ...sources)],
        [{ name: 'all', mountPath: FOLDER }],
      );
      await reads(
        'many-volumes',
        `${FOLDER}-${chosen}/${file}`,
        sources.map((source, index) => projected(`ctb-volume-${index}`, source)),
        sources.map((_, index) => ({ name: `ctb-volume-${index}`, mountPath: `${FOLDER}-${index}` })),
      );
      await sees(context, 'one-file', { path: 'all.pem', signerName, labelSelector: {} }, pem);
    },
    { timeoutMs: 240_000 },
  );
});
