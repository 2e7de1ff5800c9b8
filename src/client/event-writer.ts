import { apiVersionOf, type KubeObject } from '../api/resource.ts';
import * as resources from '../api/resources.gen.ts';
import { ApiError, isAlreadyExists, isNotFound } from '../api/status.ts';
import type { Event, ObjectReference } from '../api/types.gen.ts';
import { type Clock, rfc3339, sleep } from '../lib/clock.ts';
import { LIMITS } from '../lib/limits.ts';
import type { Logger } from '../lib/log.ts';
import { EventCorrelator, type EventRecord } from './event-correlator.ts';
import type { EventRecorder } from './event-recorder.ts';
import type { Client } from './port.ts';

export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** `source.component`, such as `deployment-controller`. */
  readonly component: string;
  /** `source.host`, for agents. */
  readonly host?: string;
}

/** A recorder that writes through `client`, one Event at a time, in the background. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const writer = new EventWriter(options);
  const recorder = (component: string, host: string): EventRecorder => ({
    event(about, type, reason, message, fieldPath) {
      writer.add({ about: referenceTo(about, fieldPath), type, reason, message, component, host });
    },
    for: (otherComponent, otherHost) => recorder(otherComponent, otherHost ?? host),
    flush: () => writer.flush(),
  });
  return recorder(options.component, options.host ?? '');
}

/** Kinds by the shape callers pass around: objects read from lists may lack `kind`. */
function referenceTo(about: KubeObject, fieldPath: string | undefined): ObjectReference {
  const { name = '', namespace, uid, resourceVersion } = about.metadata;
  return {
    ...(about.kind === undefined ? {} : { kind: about.kind }),
    ...(about.apiVersion === undefined ? {} : { apiVersion: about.apiVersion }),
    ...(namespace === undefined ? {} : { namespace }),
    name,
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(fieldPath === undefined ? {} : { fieldPath }),
  };
}

class EventWriter {
  readonly #options: EventRecorderOptions;
  readonly #correlator = new EventCorrelator();
  /** A record waits once however often it is counted up meanwhile. */
  readonly #queue = new Set<EventRecord>();
  #writing: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  add(occurrence: Parameters<EventCorrelator['correlate']>[0]): void {
    const record = this.#correlator.correlate(occurrence, this.#options.clock.now());
    if (!record) return;
    this.#queue.add(record);
    if (this.#queue.size > LIMITS.events.queue) this.#dropOldest();
    this.#writing ??= this.#drain();
  }

  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  #dropOldest(): void {
    for (const oldest of this.#queue) {
      this.#queue.delete(oldest);
      this.#correlator.forget(oldest);
      return;
    }
  }

  async #drain(): Promise<void> {
    // Lets a burst within one turn of the loop become one write for each record.
    await Promise.resolve();
    for (const record of this.#queue) {
      this.#queue.delete(record);
      await this.#write(record);
    }
    this.#writing = undefined;
  }

  async #write(record: EventRecord): Promise<void> {
    const { clock, log } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#send(record);
        return;
      } catch (error) {
        // What the server refused it will refuse again (a namespace that terminates, a bad name).
        const refused = error instanceof ApiError && error.code < 500 && error.code !== 429;
        if (refused || attempt >= LIMITS.events.writeAttempts) {
          this.#correlator.forget(record);
          log.debug('event not written', { event: record.name, reason: record.reason, error });
          return;
        }
        await sleep(clock, LIMITS.events.retryBaseMs * 2 ** (attempt - 1));
      }
    }
  }

  async #send(record: EventRecord): Promise<void> {
    const { client } = this.#options;
    const namespace = namespaceOf(record);
    if (record.written) {
      try {
        const { count, message } = record;
        const body = { count, message, lastTimestamp: rfc3339(record.lastMs) };
        await client.patch(resources.events, { namespace, name: record.name }, { type: 'merge', body });
        return;
      } catch (error) {
        if (!isNotFound(error)) throw error;
        // Events expire; a later repetition starts the object again under its old name, counts kept.
      }
    }
    try {
      await client.create(resources.events, eventOf(record, namespace));
    } catch (error) {
      // Our own earlier attempt reached the server although its answer did not reach us.
      if (!isAlreadyExists(error)) throw error;
    }
    record.written = true;
  }
}

/** Events about cluster-scoped objects live in `default`. */
function namespaceOf(record: EventRecord): string {
  return record.about.namespace || 'default';
}

function eventOf(record: EventRecord, namespace: string): Event {
  return {
    apiVersion: apiVersionOf(resources.events),
    kind: resources.events.kind,
    metadata: { namespace, name: record.name },
    involvedObject: record.about,
    reason: record.reason,
    message: record.message,
    source: {
      component: record.component,
      ...(record.host === '' ? {} : { host: record.host }),
    },
    firstTimestamp: rfc3339(record.firstMs),
    lastTimestamp: rfc3339(record.lastMs),
    count: record.count,
    type: record.type,
    reportingComponent: record.component,
    ...(record.host === '' ? {} : { reportingInstance: record.host }),
  };
}
