import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeBoard } from '../../../test/fixtures/fake-board.ts';
import type { Resource } from '../../api/resource.ts';
import { nodes, pods } from '../../api/resources.gen.ts';
import type { WatchOptions } from '../../client/port.ts';

let board: FakeBoard;
beforeEach(async () => {
  board = await FakeBoard.create();
});
afterEach(() => board.close());

const at = (name: string) => ({ name, namespace: 'default' });

/** A watch that shows nothing until it is ended. */
async function* silence({ signal }: WatchOptions): AsyncGenerator<never> {
  await new Promise((resolve) => signal?.addEventListener('abort', resolve, { once: true }));
}

describe('a pod that was bound past the scheduler', () => {
  it('fails when its host port is taken, and not when another address or protocol is', async () => {
    await board.boot();
    const port = (hostIP: string, protocol = 'TCP') => ({
      containers: [
        { name: 'main', image: 'busybox', ports: [{ containerPort: 80, hostPort: 8080, hostIP, protocol }] },
      ],
    });
    for (const [name, spec] of [
      ['first', port('10.0.0.1')],
      ['elsewhere', port('10.0.0.2')],
      ['datagrams', port('', 'UDP')],
      ['second', port('')],
    ] as const)
      await board.create(name, spec);
    await board.pass(300);
    for (const name of ['first', 'elsewhere', 'datagrams'])
      expect((await board.read(name)).status?.phase).toBe('Running');
    const why = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
    expect((await board.read('second')).status).toMatchObject({
      phase: 'Failed',
      reason: 'NodePorts',
      message: `Pod was rejected: ${why}`,
    });
    expect(board.events).toContain(`NodePorts: ${why}`);
    await board.client.delete(pods, at('first'), { gracePeriodSeconds: 0 });
    await board.client.delete(pods, at('elsewhere'), { gracePeriodSeconds: 0 });
    await board.pass(300);
    await board.create('third', port(''));
    await board.pass(300);
    expect((await board.read('third')).status?.phase).toBe('Running');
  });

  it('fails when it was bound past the scheduler to a node that has no room or is not meant for it', async () => {
    await board.boot();
    const asking = (cpu: string, more: object = {}) => ({
      containers: [{ name: 'main', image: 'busybox', resources: { requests: { cpu } } }],
      ...more,
    });
    const cpus = Number((await board.client.get(nodes, { name: 'board' })).status?.allocatable?.['cpu']);
    const half = `${cpus * 500}m`;
    await board.create('half', asking(half));
    await board.pass(300);
    await board.create('more', asking(`${cpus * 500 + 1}m`));
    await board.create('critical', asking(`${cpus}`, { priority: 2_000_001_000 }));
    await board.create('elsewhere', { nodeSelector: { 'kubernetes.io/hostname': 'other' } });
    await board.create('unknown', {
      containers: [{ name: 'main', image: 'busybox', resources: { requests: { 'example.com/thing': '7' } } }],
    });
    await board.pass(300);
    const lacking = `Node didn't have enough resource: cpu, requested: ${cpus * 500 + 1}, used: ${cpus * 500}, capacity: ${cpus * 1000}`;
    expect((await board.read('more')).status).toMatchObject({
      phase: 'Failed',
      reason: 'OutOfcpu',
      message: `Pod was rejected: ${lacking}`,
    });
    expect(board.events).toContain(`OutOfcpu: ${lacking}`);
    expect((await board.read('elsewhere')).status).toMatchObject({
      phase: 'Failed',
      reason: 'NodeAffinity',
      message:
        "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    });
    for (const name of ['half', 'critical', 'unknown'])
      expect((await board.read(name)).status?.phase).toBe('Running');
  });

  it('is counted once it was taken, and not against another one that comes with it', async () => {
    await board.boot();
    const cpu = (await board.client.get(nodes, { name: 'board' })).status?.allocatable?.['cpu'] ?? '';
    await board.halt();
    const containers = [{ name: 'main', image: 'busybox', resources: { requests: { cpu } } }];
    // The first list shows both at the same moment.
    for (const name of ['one', 'two']) await board.create(name, { containers });
    await board.boot();
    await board.pass(300);
    const phases = ['one', 'two'].map(async (name) => (await board.read(name)).status?.phase);
    expect((await Promise.all(phases)).sort()).toEqual(['Failed', 'Running']);
  });

  it('is not counted when the API has it no more, although it still ends', async () => {
    await board.boot();
    const cpu = (await board.client.get(nodes, { name: 'board' })).status?.allocatable?.['cpu'] ?? '';
    const container = { name: 'main', image: 'busybox', resources: { requests: { cpu } } };
    const command = ['sh', '-c', "trap '' TERM; sleep infinity"];
    const ports = [{ containerPort: 80, hostPort: 8080 }];
    await board.create('deaf', { containers: [{ ...container, command, ports }] });
    await board.pass(300);
    await board.client.delete(pods, at('deaf'), { gracePeriodSeconds: 0 });
    await board.pass(300);
    expect(await board.runtime.listContainers()).toMatchObject([{ state: 'running' }]);
    await board.create('next', { containers: [container] });
    await board.create('port', { containers: [{ name: 'main', image: 'busybox', ports }] });
    await board.pass(300);
    expect((await board.read('next')).status?.phase).toBe('Running');
    // What it holds of the machine itself it still holds.
    expect((await board.read('port')).status?.reason).toBe('NodePorts');
  });

  it('fails on a node whose taint drives it away, and goes on where it ran before', async () => {
    await board.boot();
    await board.create('before');
    await board.pass(300);
    const spec = { taints: [{ key: 'a', value: 'b', effect: 'NoExecute' }] };
    await board.client.patch(nodes, { name: 'board' }, { type: 'merge', body: { spec } });
    await board.pass(300);
    await board.create('after');
    const tolerations = [{ key: 'a', operator: 'Exists' }];
    await board.create('tolerant', { tolerations });
    await board.pass(300);
    expect((await board.read('after')).status).toMatchObject({
      phase: 'Failed',
      reason: 'TaintToleration',
      message:
        "Pod was rejected: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
    });
    for (const name of ['before', 'tolerant']) expect((await board.read(name)).status?.phase).toBe('Running');
  });

  it('runs where a label came together with it that the agent has not heard of yet', async () => {
    const { client } = board;
    await board.boot();
    await board.halt();
    // Shows the node as it was, and nothing of what becomes of it.
    const deaf = new Proxy(client, {
      get(target, property) {
        if (property === 'watch')
          return (resource: Resource, options: WatchOptions) =>
            resource === nodes ? silence(options) : target.watch(resource, options);
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    await board.boot(deaf);
    const labels = { 'example.com/new': 'yes' };
    await client.patch(nodes, { name: 'board' }, { type: 'merge', body: { metadata: { labels } } });
    await board.create('labelled', { nodeSelector: labels });
    await board.create('other', { nodeSelector: { 'example.com/new': 'no' } });
    await board.pass(300);
    expect((await board.read('labelled')).status?.phase).toBe('Running');
    expect((await board.read('other')).status?.reason).toBe('NodeAffinity');
  });
});
