import { expect } from 'vitest';
import type { Pod, ResourceRequirements } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { running } from '../pod-output.ts';
import { idleContainer } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const LONG = { timeoutMs: 120_000 };
/** Requests and limits of CPU and memory; what is left out is not there. */
type Amounts = readonly [
  cpuRequest?: string,
  cpuLimit?: string,
  memoryRequest?: string,
  memoryLimit?: string,
];

function resources([cpuRequest, cpuLimit, memoryRequest, memoryLimit]: Amounts): ResourceRequirements {
  const list = (cpu?: string, memory?: string): Record<string, string> => ({
    ...(cpu ? { cpu } : {}),
    ...(memory ? { memory } : {}),
  });
  const limits = list(cpuLimit, memoryLimit);
  const requests = list(cpuRequest, memoryRequest);
  return {
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
    ...(Object.keys(requests).length > 0 ? { requests } : {}),
  };
}

const nameOf = (index: number): string => `c${index + 1}`;
const contents = (of: readonly Amounts[]) =>
  of.map((amounts, index) => ({ name: nameOf(index), resources: resources(amounts) }));

async function create(context: SpecContext, of: readonly Amounts[]): Promise<Pod> {
  const containers = contents(of).map((one) => idleContainer(one));
  await context.pods.create({
    metadata: { name: 'testpod' },
    spec: { terminationGracePeriodSeconds: 0, containers },
  });
  return await running(context, 'testpod');
}

/** What the kernel holds a container to, on either version of control groups. */
const LOOK = [
  'if [ -f /sys/fs/cgroup/cgroup.controllers ]; then',
  'cat /sys/fs/cgroup/cpu.weight; cut -d" " -f1 /sys/fs/cgroup/cpu.max; cat /sys/fs/cgroup/memory.max; else',
  'for file in cpu/cpu.shares cpu/cpu.cfs_quota_us memory/memory.limit_in_bytes; do cat /sys/fs/cgroup/$file; done; fi',
].join(' ');
const milli = (cpu = '0'): number => Number(cpu.replace('m', ''));
const bytes = (memory: string): number => Number(memory.replace('Mi', '')) * 1024 * 1024;

async function isHeldTo(context: SpecContext, name: string, amounts: Amounts): Promise<void> {
  const [cpuRequest, cpuLimit, , memoryLimit] = amounts;
  const output = await context.ok(['exec', 'testpod', '-c', name, '--', 'sh', '-c', LOOK]);
  const [shares = '', quota = '', limit = ''] = output.trim().split('\n');
  const wantedShares = Math.max(2, Math.floor((milli(cpuRequest ?? cpuLimit) * 1024) / 1000));
  const weight = 1 + Math.floor(((wantedShares - 2) * 9999) / 262_142);
  expect([wantedShares, weight]).toContain(Number(shares));
  if (cpuLimit) expect(Number(quota)).toBe(Math.max(1000, milli(cpuLimit) * 100));
  else expect(['-1', 'max']).toContain(quota);
  if (memoryLimit) expect(Number(limit)).toBe(bytes(memoryLimit));
}

/** Spec, status and kernel agree, nothing is pending, and nothing was restarted. */
async function becomes(context: SpecContext, of: readonly Amounts[], before: Pod): Promise<void> {
  const wanted = contents(of);
  const found = await context.until('the resize to be done', async () => {
    const object = await context.pods.get('testpod');
    const { status, metadata } = object;
    const isDone =
      status?.observedGeneration === metadata.generation &&
      !status?.conditions?.some(({ type }) => type.startsWith('PodResize')) &&
      wanted.every(({ name, resources: expected }) => {
        const one = status?.containerStatuses?.find((container) => container.name === name);
        return JSON.stringify(sorted(one?.resources)) === JSON.stringify(sorted(expected));
      });
    return isDone && object;
  });
  expect(contentsOf(found)).toEqual(wanted);
  expect(found.status?.qosClass).toBe(before.status?.qosClass);
  for (const { name, resources: expected } of wanted) {
    const one = found.status?.containerStatuses?.find((container) => container.name === name);
    expect(one?.allocatedResources).toEqual(expected.requests);
    expect(one?.restartCount).toBe(0);
    expect(one?.containerID).toBe(
      before.status?.containerStatuses?.find((container) => container.name === name)?.containerID,
    );
  }
  for (const [index, amounts] of of.entries()) await isHeldTo(context, nameOf(index), amounts);
}
const contentsOf = ({ spec }: Pod) =>
  (spec?.containers ?? []).map(({ name, resources: has }) => ({ name, resources: has }));
const sorted = (one: ResourceRequirements = {}) =>
  (['limits', 'requests'] as const).map((part) => Object.entries(one[part] ?? {}).sort());

const patch = async ({ pods }: SpecContext, of: readonly Amounts[]): Promise<Pod> =>
  await pods.patch(
    'testpod',
    { spec: { containers: contents(of) } },
    { type: 'strategic', subresource: 'resize' },
  );

area('sig-node', 'Pod InPlace Resize Container', (spec) => {
  const TAG = '[MinimumKubeletVersion:1.34]';
  spec(
    `burstable pods - extended 6 containers - various operations performed (including adding limits and requests) ${TAG}`,
    async (context) => {
      const original: Amounts[] = [
        ['20m'],
        [undefined, undefined, '20Mi'],
        ['20m', undefined, '20Mi'],
        ['20m'],
        [undefined, undefined, '20Mi'],
        ['20m', '30m', '20Mi', '30Mi'],
      ];
      const wanted: Amounts[] = [
        ['25m', '35m'],
        [undefined, undefined, '15Mi', '35Mi'],
        ['20m', undefined, '15Mi'],
        ['15m', undefined, '20Mi'],
        ['20m', undefined, '25Mi'],
        ['25m', '35m', '15Mi', '25Mi'],
      ];
      const before = await create(context, original);
      await becomes(context, original, before);
      const patched = await patch(context, wanted);
      expect(contentsOf(patched)).toEqual(contents(wanted));
      expect(patched.metadata.generation).toBe((before.metadata.generation ?? 0) + 1);
      await becomes(context, wanted, before);
    },
    LONG,
  );

  spec(
    `burstable pods - extended resize with equivalents ${TAG}`,
    async (context) => {
      const original: Amounts[] = [['2m', '10m']];
      const equivalent: Amounts[] = [['1m', '5m']];
      const before = await create(context, original);
      await becomes(context, original, before);
      for (const wanted of [equivalent, original]) {
        expect(contentsOf(await patch(context, wanted))).toEqual(contents(wanted));
        await becomes(context, wanted, before);
      }
    },
    LONG,
  );

  spec(
    `resize pod via the replace endpoint ${TAG}`,
    async (context) => {
      const original: Amounts[] = [['20m', '30m', '20Mi', '30Mi']];
      const wanted: Amounts[] = [['25m', '35m', '25Mi', '35Mi']];
      const before = await create(context, original);
      const replaced = await context.pods.modify(
        'testpod',
        (object) => {
          object.spec!.containers[0]!.resources = resources(wanted[0]!);
        },
        'resize',
      );
      expect(contentsOf(replaced)).toEqual(contents(wanted));
      await becomes(context, wanted, before);
      expect(await context.pods.get('testpod', 'resize')).toEqual(await context.pods.get('testpod'));
    },
    LONG,
  );
});
