import type { Datastore } from '../../datastore/port.ts';
import type { Clock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { HealthCheck } from './health.ts';

/** Whether the datastore answers in time; under upstream's name. */
export function storageCheck(datastore: Datastore, clock: Clock): HealthCheck {
  return {
    name: 'etcd',
    check: async () => {
      let timer: ReturnType<Clock['setTimer']> | undefined;
      const late = new Promise<never>((_resolve, reject) => {
        timer = clock.setTimer(LIMITS.http.storageCheckMs, () =>
          reject(new Error('the datastore does not answer')),
        );
      });
      try {
        await Promise.race([datastore.get('/registry/health'), late]);
      } finally {
        timer?.cancel();
      }
    },
  };
}

/** Something that is done once, at the start. */
export function startedCheck(name: string, isDone: () => boolean): HealthCheck {
  return {
    name,
    check: () => {
      if (!isDone()) throw new Error('not finished');
    },
  };
}
