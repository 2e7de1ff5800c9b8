import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeBoard } from '../../../test/fixtures/fake-board.ts';
import { pods } from '../../api/resources.gen.ts';

let board: FakeBoard;
/** What the agent told: addresses to isolate, then the pod that is over. */
let told: string[] = [];
let gate = Promise.withResolvers<void>();
beforeEach(async () => {
  board = await FakeBoard.create();
  told = [];
  gate = Promise.withResolvers<void>();
  board.isolation = {
    ensure: async ({ metadata }, ips) => {
      told.push(`${metadata.name} ${ips.length > 0 ? 'has an address' : 'has none'}`);
      await gate.promise;
    },
    release: () => void told.push('over'),
  };
});
afterEach(() => board.close());

const running = async (): Promise<number> =>
  (await board.runtime.listContainers()).filter(({ state }) => state === 'running').length;

describe('network policies of a pod', () => {
  it('are in place before a container starts, and are told when its address is free', async () => {
    await board.boot();
    await board.create('web', { terminationGracePeriodSeconds: 0 });
    await board.pass(1000);
    expect(told).toContain('web has an address');
    expect(await running()).toBe(0);
    gate.resolve();
    await board.pass(1000);
    expect(await running()).toBe(1);
    expect(told).not.toContain('over');
    await board.client.delete(pods, { namespace: 'default', name: 'web' });
    await board.pass(15_000);
    expect(told.at(-1)).toBe('over');
  });

  it('keep a pod from starting when they cannot be enforced, until they can', async () => {
    board.isolation = { ensure: () => gate.promise, release: () => {} };
    gate.promise.catch(() => {});
    gate.reject(new Error('the kernel refuses the rules'));
    await board.boot();
    await board.create('web');
    await board.pass(1000);
    expect(await running()).toBe(0);
    expect(board.events.join('\n')).toMatch(/FailedCreatePodSandBox: .*the kernel refuses the rules/);
    gate = Promise.withResolvers<void>();
    gate.resolve();
    await board.pass(60_000);
    expect(await running()).toBe(1);
  });

  it('are in place, too, where the agent was restarted between sandbox and start', async () => {
    await board.boot();
    await board.create('web');
    await board.pass(1000);
    expect(await board.runtime.listSandboxes()).toHaveLength(1);
    await board.halt();
    await board.boot();
    await board.pass(1000);
    expect(await running()).toBe(0);
    gate.resolve();
    await board.pass(1000);
    expect(await running()).toBe(1);
  });

  it('are told again of pods that already run when the agent starts', async () => {
    gate.resolve();
    await board.boot();
    await board.create('web');
    await board.pass(1000);
    await board.halt();
    told = [];
    await board.boot();
    await board.pass(1000);
    expect(told).toContain('web has an address');
    expect(await running()).toBe(1);
  });
});
