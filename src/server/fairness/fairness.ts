import { apiError } from '../../api/status.ts';
import type { FlowSchema, PolicyRulesWithSubjects, PriorityLevelConfiguration } from '../../api/types.gen.ts';
import type { Clock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { RequestInfo } from '../http/request-info.ts';
import type { UserInfo } from '../registry/definition.ts';
import {
  MANDATORY_LEVELS,
  MANDATORY_SCHEMAS,
  SUGGESTED_LEVELS,
  SUGGESTED_SCHEMAS,
} from './default-objects.ts';
import { FairnessMetrics } from './fairness-metrics.ts';
import { flowOf, rulesMatch, rulesOfUser } from './flow-match.ts';
import { PriorityLevel, type Rejection, type Waiting } from './priority-level.ts';
import { divideSeats, mayTake } from './seats.ts';

/** A request that may run. `release` gives its seats back; calling it again does nothing. */
export interface Seat {
  readonly schema: string;
  readonly schemaUid: string;
  readonly level: string;
  readonly levelUid: string;
  release(): void;
}

export interface FairRequest {
  readonly user: UserInfo;
  readonly info: RequestInfo;
  /** How many requests this one weighs as much as. */
  readonly seats: number;
  /** Calls back when the client has left. */
  readonly onGone: (callback: () => void) => void;
}

interface Candidate {
  readonly schema: FlowSchema;
  readonly level: PriorityLevel;
  readonly rules: readonly PolicyRulesWithSubjects[];
}

/**
 * API priority and fairness (KEP-1040): every request belongs to a flow of a level, levels share the server's seats,
 * and flows of one level wait side by side. It costs a look at a few rules unless seats are short. Upstream lends seats
 * every ten seconds by what was needed before; here a seat that is free is lent at once.
 */
export class Fairness {
  readonly #clock: Clock;
  readonly #seats: number;
  readonly #levels = new Map<string, PriorityLevel>();
  /** Levels that are no more, while requests of theirs run or wait. */
  readonly #leaving = new Set<PriorityLevel>();
  #schemas: readonly FlowSchema[] = [];
  /** Schemas that speak of a user, in order; the same for every request of that user. */
  readonly #candidates = new Map<string, readonly Candidate[]>();
  /** The same for users that come with many requests, such as that of a connection's certificate. */
  #ofUser = new WeakMap<UserInfo, readonly Candidate[]>();
  #waiting = 0;
  readonly metrics: FairnessMetrics;

  constructor(clock: Clock, serverSeats: number = LIMITS.fairness.seats) {
    this.#clock = clock;
    this.#seats = serverSeats;
    this.metrics = new FairnessMetrics();
    this.configure([...MANDATORY_LEVELS, ...SUGGESTED_LEVELS], [...MANDATORY_SCHEMAS, ...SUGGESTED_SCHEMAS]);
  }

  get levels(): Iterable<PriorityLevel> {
    return this.#levels.values();
  }

  /** From now on these count. Requests that run or wait go on where they are. */
  configure(levels: readonly PriorityLevelConfiguration[], schemas: readonly FlowSchema[]): void {
    const configured = withMissing(levels, MANDATORY_LEVELS);
    const seats = divideSeats(configured, this.#seats);
    for (const one of configured) {
      const { name = '' } = one.metadata;
      const level = this.#levels.get(name) ?? new PriorityLevel(name, this.#clock);
      level.configure(one, seats.get(name) ?? { nominal: 0, min: 0, max: 1 });
      this.#levels.set(name, level);
    }
    for (const [name, level] of this.#levels) {
      if (seats.has(name)) continue;
      this.#levels.delete(name);
      if (level.executingRequests > 0 || level.waiting > 0) this.#leaving.add(level);
    }
    this.#schemas = withMissing(schemas, MANDATORY_SCHEMAS).toSorted(byPrecedence);
    this.#candidates.clear();
    this.#ofUser = new WeakMap();
    this.#dispatch();
  }

  /** Resolves once the request may run. Throws, or rejects with, 429 when it may not, or its client left. */
  enter(request: FairRequest): Seat | Promise<Seat> {
    const { schema, level } = this.#classify(request);
    const seats = level.isExempt ? 1 : Math.max(1, Math.min(request.seats, Math.ceil(level.nominal * 0.15)));
    if (level.waiting === 0 && this.#mayRun(level, seats)) return this.#start({ schema, level }, seats, 0);
    if (level.isExempt) throw this.#refuse({ schema, level }, 'concurrency-limit');
    return new Promise((resolve, reject) => {
      const sinceMs = this.#clock.monotonicMs();
      const refuse = (reason: Rejection): void => reject(this.#refuse({ schema, level }, reason));
      if (this.#waiting >= LIMITS.fairness.waiting) return refuse('queue-full');
      const waiting: Waiting = {
        seats,
        sinceMs,
        start: () => {
          this.#waiting--;
          resolve(this.#start({ schema, level }, seats, this.#clock.monotonicMs() - sinceMs));
        },
        reject: (reason) => {
          this.#waiting--;
          refuse(reason);
        },
      };
      const queued = level.enqueue(flowOf(schema, request.user, request.info), waiting);
      if (typeof queued === 'string') return refuse(queued);
      this.#waiting++;
      request.onGone(queued);
      return undefined;
    });
  }

  #classify({ user, info }: FairRequest): Omit<Candidate, 'rules'> {
    const candidates = this.#candidatesOf(user);
    const found = candidates.find(({ rules }) => rulesMatch(rules, info));
    return found ?? { schema: MANDATORY_SCHEMAS[1]!, level: this.#levels.get('catch-all')! };
  }

  #candidatesOf(user: UserInfo): readonly Candidate[] {
    let found = this.#ofUser.get(user);
    if (found === undefined) {
      found = this.#findCandidates(user);
      this.#ofUser.set(user, found);
    }
    return found;
  }

  #findCandidates(user: UserInfo): readonly Candidate[] {
    const key = `${user.name}\n${user.groups.join('\n')}`;
    const known = this.#candidates.get(key);
    if (known) return known;
    const catchAll = this.#levels.get('catch-all')!;
    const found = this.#schemas.flatMap((schema): Candidate[] => {
      const rules = rulesOfUser(schema, user);
      const level = this.#levels.get(schema.spec?.priorityLevelConfiguration.name ?? '') ?? catchAll;
      return rules.length === 0 ? [] : [{ schema, level, rules }];
    });
    if (this.#candidates.size >= LIMITS.fairness.users) this.#candidates.clear();
    this.#candidates.set(key, found);
    return found;
  }

  #mayRun(level: PriorityLevel, seats: number): boolean {
    if (level.isExempt) return level.executingRequests < LIMITS.fairness.exempt;
    return mayTake(level, seats, this.#limited(), this.#seats);
  }

  *#limited(): Generator<PriorityLevel> {
    for (const level of this.#levels.values()) if (!level.isExempt) yield level;
    yield* this.#leaving;
  }

  #start({ schema, level }: Omit<Candidate, 'rules'>, seats: number, waitedMs: number): Seat {
    level.executingSeats += seats;
    level.executingRequests++;
    const startMs = this.#clock.monotonicMs();
    const schemaName = schema.metadata.name ?? '';
    this.metrics.dispatched(level.name, schemaName, waitedMs);
    let isOver = false;
    return {
      schema: schemaName,
      schemaUid: schema.metadata.uid ?? '',
      level: level.name,
      levelUid: level.uid,
      release: () => {
        if (isOver) return;
        isOver = true;
        level.executingSeats -= seats;
        level.executingRequests--;
        this.metrics.executed(level.name, schemaName, this.#clock.monotonicMs() - startMs);
        if (this.#leaving.size > 0 && level.executingRequests === 0 && level.waiting === 0)
          this.#leaving.delete(level);
        if (this.#waiting > 0) this.#dispatch();
      },
    };
  }

  /** Starts what may start now, the level first that has the least of its own. */
  #dispatch(): void {
    while (this.#waiting > 0) {
      let best: PriorityLevel | undefined;
      for (const level of this.#limited()) {
        const { next } = level;
        if (!next || !this.#mayRun(level, next.seats)) continue;
        if (!best || load(level) < load(best)) best = level;
      }
      const next = best?.take();
      if (!next) return;
      next.start();
    }
  }

  #refuse({ schema, level }: Omit<Candidate, 'rules'>, reason: Rejection): Error {
    this.metrics.rejected(level.name, schema.metadata.name ?? '', reason);
    return apiError('TooManyRequests', 'Too many requests, please try again later.', {
      details: { retryAfterSeconds: level.retryAfter.next() },
    });
  }
}

const load = ({ executingSeats, nominal }: PriorityLevel): number => executingSeats / Math.max(nominal, 1);

function byPrecedence(a: FlowSchema, b: FlowSchema): number {
  const precedence = (one: FlowSchema): number => one.spec?.matchingPrecedence ?? 1000;
  return precedence(a) - precedence(b) || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1);
}

/** Mandatory ones count even in the moment in which somebody has deleted them. */
function withMissing<T extends { metadata: { name?: string } }>(
  found: readonly T[],
  needed: readonly T[],
): T[] {
  const names = new Set(found.map(({ metadata }) => metadata.name));
  return [...found, ...needed.filter(({ metadata }) => !names.has(metadata.name))];
}
