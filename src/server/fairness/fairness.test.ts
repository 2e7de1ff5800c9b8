import { describe, expect, it } from 'vitest';
import { ApiError } from '../../api/status.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '../../api/types.gen.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import { parseRequest, type RequestInfo } from '../http/request-info.ts';
import type { UserInfo } from '../registry/definition.ts';
import { MANDATORY_SCHEMAS, SUGGESTED_LEVELS } from './default-objects.ts';
import { Fairness, type FairRequest, type Seat } from './fairness.ts';
import { planKeep } from './keep-objects.ts';
import { divideSeats, mayTake } from './seats.ts';
import { handOf } from './shuffle-shard.ts';

const info = (method: string, path: string): RequestInfo =>
  parseRequest(method, path, new URLSearchParams()) as RequestInfo;
const PODS = info('GET', '/api/v1/namespaces/shop/pods');
const userOf = (name: string, ...groups: string[]): UserInfo => ({
  name,
  groups: [...groups, 'system:authenticated'],
});
const ask = (user: UserInfo, request = PODS, seats = 1): FairRequest => ({
  user,
  info: request,
  seats,
  onGone: () => {},
});
const now = (seat: Seat | Promise<Seat>): Seat => {
  if (seat instanceof Promise) throw new Error('it waits');
  return seat;
};
const ANN = userOf('ann');

describe('classification', () => {
  const fairness = new Fairness(new FakeClock());
  const account = (namespace: string, name: string) =>
    userOf(`system:serviceaccount:${namespace}:${name}`, 'system:serviceaccounts');
  it.each([
    ['administrators', userOf('x', 'system:masters'), PODS, 'exempt/exempt'],
    [
      'probes',
      { name: 'system:anonymous', groups: ['system:unauthenticated'] },
      info('GET', '/readyz'),
      'probes/exempt',
    ],
    ['nodes', userOf('system:node:pi', 'system:nodes'), PODS, 'system-nodes/system'],
    [
      'nodes about themselves',
      userOf('system:node:pi', 'system:nodes'),
      info('PATCH', '/api/v1/nodes/pi/status'),
      'system-node-high/node-high',
    ],
    ['the scheduler', userOf('system:kube-scheduler'), PODS, 'kube-scheduler/workload-high'],
    [
      'leases of kube-system',
      account('kube-system', 'c'),
      info('PUT', '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/c'),
      'system-leader-election/leader-election',
    ],
    [
      'accounts of kube-system',
      account('kube-system', 'c'),
      PODS,
      'kube-system-service-accounts/workload-high',
    ],
    ['accounts', account('shop', 'c'), PODS, 'service-accounts/workload-low'],
    ['everybody', ANN, PODS, 'global-default/global-default'],
    ['strangers', { name: '?', groups: [] }, PODS, 'catch-all/catch-all'],
  ] as const)('%s', (_what, user, request, expected) => {
    const seat = now(fairness.enter(ask(user, request)));
    expect(`${seat.schema}/${seat.level}`).toBe(expected);
    seat.release();
  });

  it('follows schemas that come and go', () => {
    const own: FlowSchema = {
      metadata: { name: 'own', uid: 'u1' },
      spec: {
        matchingPrecedence: 50,
        priorityLevelConfiguration: { name: 'system' },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'ann' } }],
            resourceRules: [{ verbs: ['list'], apiGroups: [''], resources: ['pods'], namespaces: ['shop'] }],
          },
        ],
      },
    };
    const levels = [...SUGGESTED_LEVELS];
    fairness.configure(levels, [own]);
    expect(now(fairness.enter(ask(ANN)))).toMatchObject({ schema: 'own', schemaUid: 'u1', level: 'system' });
    const other = info('GET', '/api/v1/namespaces/other/pods');
    expect(now(fairness.enter(ask(ANN, other))).schema).toBe('catch-all');
    fairness.configure(levels, []);
    expect(now(fairness.enter(ask(ANN))).schema).toBe('catch-all');
  });
});

describe('seats', () => {
  it('are divided by shares, as upstream rounds', () => {
    const seats = divideSeats(SUGGESTED_LEVELS, 600);
    expect(seats.get('workload-low')).toEqual({ nominal: 250, min: 25, max: 600 });
    expect(seats.get('leader-election')).toEqual({ nominal: 25, min: 25, max: 600 });
  });

  it('are lent while they are free, but never the last of what a level keeps', () => {
    const a = { nominal: 5, min: 5, max: 10, executingSeats: 5 };
    const b = { nominal: 5, min: 2, max: 10, executingSeats: 0 };
    expect(mayTake(a, 3, [a, b], 10)).toBe(true);
    expect(mayTake(a, 4, [a, b], 10)).toBe(false);
    expect(mayTake({ ...a, max: 6 }, 2, [a, b], 10)).toBe(false);
    expect(mayTake(b, 2, [{ ...a, executingSeats: 8 }, b], 10)).toBe(true);
  });

  it('deals every flow the same different queues', () => {
    for (let at = 0; at < 100; at++) {
      const hand = handOf(`flow-${at}`, 16, 4);
      expect(new Set(hand).size).toBe(4);
      expect(Math.max(...hand)).toBeLessThan(16);
      expect(handOf(`flow-${at}`, 16, 4)).toEqual(hand);
    }
    expect(handOf('x', 2, 8).toSorted()).toEqual([0, 1]);
  });
});

/** One level of two seats with short queues, besides the mandatory ones. */
const SMALL: PriorityLevelConfiguration = {
  metadata: { name: 'small', uid: 'level' },
  spec: {
    type: 'Limited',
    limited: {
      nominalConcurrencyShares: 10,
      lendablePercent: 0,
      limitResponse: { type: 'Queue', queuing: { queues: 16, handSize: 2, queueLengthLimit: 3 } },
    },
  },
};
const ALL_SMALL: FlowSchema = {
  metadata: { name: 'all', uid: 'schema' },
  spec: {
    ...structuredClone(MANDATORY_SCHEMAS[1]!.spec!),
    matchingPrecedence: 10,
    priorityLevelConfiguration: { name: 'small' },
  },
};

function crowded(queues?: object) {
  const clock = new FakeClock();
  const fairness = new Fairness(clock, 3);
  const level = structuredClone(SMALL);
  Object.assign(level.spec!.limited!.limitResponse!.queuing!, queues);
  fairness.configure([level], [ALL_SMALL]);
  // Two of the three seats are the level's, one is that of catch-all.
  const running = [0, 1].map(() => now(fairness.enter(ask(ANN))));
  return { clock, fairness, running };
}

describe('waiting', () => {
  it('lasts until a seat is free', async () => {
    const { fairness, running } = crowded();
    const third = fairness.enter(ask(ANN));
    expect(third).toBeInstanceOf(Promise);
    running[0]!.release();
    running[0]!.release();
    expect(await third).toMatchObject({ schema: 'all', schemaUid: 'schema', levelUid: 'level' });
    expect([...fairness.levels].find(({ name }) => name === 'small')).toMatchObject({
      executingSeats: 2,
      executingRequests: 2,
      waiting: 0,
    });
  });

  it('lets flows take turns, however many requests one of them has', async () => {
    const { fairness, running } = crowded({ queueLengthLimit: 50 });
    const order: string[] = [];
    const wait = async (name: string): Promise<void> => {
      const seat = await fairness.enter(ask(userOf(name)));
      order.push(name);
      seat.release();
    };
    const all = [...Array.from({ length: 8 }, () => wait('greedy')), wait('modest')];
    running[0]!.release();
    await Promise.all(all);
    expect(order.indexOf('modest')).toBeLessThan(4);
  });

  it('ends with 429 when it takes too long, the queue is full, or the client left', async () => {
    const { clock, fairness } = crowded();
    const refused = async (request: Seat | Promise<Seat>): Promise<number> => {
      const error = await Promise.resolve(request).then(
        () => undefined,
        (cause: unknown) => cause as ApiError,
      );
      expect(error).toBeInstanceOf(ApiError);
      expect(error?.status).toMatchObject({ code: 429, reason: 'TooManyRequests' });
      return error?.status.details?.retryAfterSeconds ?? 0;
    };
    const queued = Array.from({ length: 6 }, () => fairness.enter(ask(ANN)));
    expect(await refused(fairness.enter(ask(ANN)))).toBe(1);
    let leave = (): void => {};
    const other = fairness.enter({ ...ask(userOf('bob')), onGone: (gone) => (leave = gone) });
    leave();
    await refused(other);
    const refusals = queued.map(refused);
    await clock.advance(LIMITS.fairness.waitMs);
    await Promise.all(refusals);
    const text = fairness.metrics.render(() => fairness.levels);
    expect(text).toContain(
      'rejected_requests_total{priority_level="small",flow_schema="all",reason="time-out"} 6',
    );
    expect(text).toContain(
      'rejected_requests_total{priority_level="small",flow_schema="all",reason="cancelled"} 1',
    );
    expect(text).toContain('apiserver_flowcontrol_current_executing_seats{priority_level="small"} 2');
  });

  it('asks for more patience the more are refused', async () => {
    const { clock, fairness } = crowded({ queueLengthLimit: 1, handSize: 1 });
    void Promise.resolve(fairness.enter(ask(ANN))).catch(() => {});
    const wait = async (): Promise<number> => {
      for (let at = 0; at < 10; at++) await Promise.resolve(fairness.enter(ask(ANN))).catch(() => {});
      await clock.advance(1000);
      const error = await Promise.resolve(fairness.enter(ask(ANN))).catch((cause: ApiError) => cause);
      return (error as ApiError).status.details?.retryAfterSeconds ?? 0;
    };
    expect(await wait()).toBe(2);
  });

  it('is bounded over all levels', async () => {
    const { fairness } = crowded({ queues: 1000, handSize: 1, queueLengthLimit: 1000 });
    const all = Array.from({ length: LIMITS.fairness.waiting + 1 }, (_, at) =>
      fairness.enter(ask(userOf(`u${at}`))),
    );
    await expect(all.at(-1)).rejects.toThrow('Too many requests');
    for (const one of all) void Promise.resolve(one).catch(() => {});
  });

  it('goes on when its level is taken away', async () => {
    const { fairness, running } = crowded();
    const third = fairness.enter(ask(ANN));
    fairness.configure([], []);
    running[0]!.release();
    await third;
  });

  it('is nothing for administrators', () => {
    const { fairness } = crowded();
    for (let at = 0; at < 100; at++) now(fairness.enter(ask(userOf('root', 'system:masters'))));
  });
});

describe('keeping objects', () => {
  const time = () => '2026-01-01T00:00:00Z';
  const empty = { levels: new Map(), schemas: new Map() };
  const byName = <T extends { metadata: { name?: string } }>(all: readonly T[]) =>
    new Map(all.map((one) => [one.metadata.name ?? '', one]));

  it('creates them all, and then nothing more', () => {
    const plan = planKeep(empty, time);
    expect(plan.createLevels).toHaveLength(8);
    expect(plan.createSchemas).toHaveLength(11);
    const after = planKeep({ levels: byName(plan.createLevels), schemas: byName(plan.createSchemas) }, time);
    expect(after).toMatchObject({ createLevels: [], updateLevels: [], createSchemas: [], updateSchemas: [] });
    expect(after.statuses).toHaveLength(11);
    const written = byName(after.statuses);
    expect(planKeep({ levels: byName(plan.createLevels), schemas: written }, time).statuses).toEqual([]);
    expect(written.get('exempt')?.status?.conditions).toMatchObject([{ type: 'Dangling', status: 'False' }]);
  });

  it('brings suggested ones back unless told not to, mandatory ones always', () => {
    const plan = planKeep(empty, time);
    const levels = byName(structuredClone(plan.createLevels) as PriorityLevelConfiguration[]);
    for (const name of ['system', 'workload-low', 'catch-all'])
      levels.get(name)!.spec!.limited!.nominalConcurrencyShares = 1;
    for (const name of ['workload-low', 'catch-all'])
      levels.get(name)!.metadata.annotations = { 'apf.kubernetes.io/autoupdate-spec': 'false' };
    const { updateLevels } = planKeep({ levels, schemas: new Map() }, time);
    expect(updateLevels.map(({ metadata }) => metadata.name).sort()).toEqual(['catch-all', 'system']);
  });

  it('says when a level is missing', () => {
    const schema: FlowSchema = {
      metadata: { name: 'lost' },
      spec: { priorityLevelConfiguration: { name: 'gone' } },
    };
    const { statuses } = planKeep({ ...empty, schemas: byName([schema]) }, time);
    expect(statuses[0]?.status?.conditions?.[0]).toMatchObject({ status: 'True', reason: 'NotFound' });
  });
});
