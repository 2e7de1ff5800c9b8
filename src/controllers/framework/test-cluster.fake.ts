import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, Resource } from '../../api/resource.ts';
import * as resources from '../../api/resources.gen.ts';
import type { Pod } from '../../api/types.gen.ts';
import { createEventRecorder } from '../../client/event-writer.ts';
import { FakeClient } from '../../client/fake-client.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { type LogFields, type Logger, silentLogger } from '../../lib/log.ts';
import type { Controller, ControllerContext } from '../port.ts';

/** Controllers over an in-memory API and virtual time, with pods that an imagined agent runs. For tests. */
export class TestCluster {
  readonly clock = new FakeClock();
  readonly client = new FakeClient(this.clock);
  readonly context: ControllerContext;
  readonly warnings: string[] = [];
  readonly #informers: InformerFactory;
  #stops: (() => Promise<void>)[] = [];

  constructor(served = Object.values(resources) as readonly Resource[]) {
    const { clock, client } = this;
    const warn = (message: string, fields?: LogFields): void => {
      this.warnings.push(`${message} ${JSON.stringify(fields?.['key'])} ${String(fields?.['error'])}`);
    };
    const log: Logger = { ...silentLogger, warn, error: warn, child: () => log };
    this.#informers = createInformerFactory({ client, clock, log, random: () => 0 });
    this.context = {
      client,
      clock,
      log,
      informers: this.#informers,
      events: createEventRecorder({ client, clock, log: silentLogger, component: 'test' }),
      cluster: {
        rootCA: 'PEM',
        clientCA: { certificatePem: 'PEM', keyPem: 'PEM' },
        resources: served,
        signLegacyToken: async ({ serviceAccountName }) => `token-of-${serviceAccountName}`,
      },
    };
  }

  async start(...controllers: Controller[]): Promise<void> {
    this.#stops = controllers.map((controller) => controller.start(this.context));
    void this.#informers.start();
    await this.settle();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#stops.map((stop) => stop()));
    await this.#informers.stop();
  }

  /** Lets everything that waits for no time happen, and little delays pass. */
  async settle(ms = 100): Promise<void> {
    for (let i = 0; i < 6; i++) await this.clock.advance(ms / 6);
  }

  async list<T extends KubeObject>(resource: Resource<T>, namespace = 'default'): Promise<readonly T[]> {
    return (await this.client.list(resource, resource.namespaced ? { namespace } : {})).items;
  }

  async pods(namespace = 'default'): Promise<readonly Pod[]> {
    return await this.list(resources.pods, namespace);
  }

  async events(): Promise<string[]> {
    await this.context.events.flush();
    const { items } = await this.client.list(resources.events);
    return items.map(({ type, reason, message }) => `${type} ${reason} ${message}`);
  }

  async setPodStatus(pod: Pod, status: NonNullable<Pod['status']>): Promise<void> {
    const { name = '', namespace } = pod.metadata;
    const now = await this.client.get(resources.pods, { name, namespace });
    await this.client.update(resources.pods, { ...now, status }, { subresource: 'status' });
  }

  /** Every pod runs and is ready, and what should go is gone. */
  async runPods(namespace = 'default'): Promise<void> {
    const status = { phase: 'Running', conditions: [this.readyCondition()] };
    for (const pod of await this.pods(namespace)) {
      const { name = '', deletionTimestamp } = pod.metadata;
      if (deletionTimestamp) await this.removePod(pod);
      else if (!isDeepStrictEqual(pod.status?.phase, 'Running') && !isDone(pod)) {
        if (!pod.spec?.nodeName)
          await this.client.createSubresource(resources.pods, { name, namespace }, 'binding', {
            target: { name: 'board-1' },
          });
        await this.setPodStatus(pod, status);
      }
    }
    await this.settle();
  }

  readyCondition() {
    const lastTransitionTime = new Date(this.clock.now()).toISOString();
    return { type: 'Ready', status: 'True', lastTransitionTime };
  }

  /** As the agent does when the last container ended. */
  async removePod({ metadata: { name = '', namespace } }: Pod): Promise<void> {
    await this.client.delete(resources.pods, { name, namespace }, { gracePeriodSeconds: 0 });
  }
}

function isDone({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
