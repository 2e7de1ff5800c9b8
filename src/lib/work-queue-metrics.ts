import { MetricRegistry, type Sample } from './metrics.ts';

/** Upstream's boundaries for work queues, every other one. */
const SECONDS = [0.00001, 0.001, 0.1, 1, 10];

export interface MeasuredQueue {
  readonly name: string;
  readonly depth: number;
  /** How long the oldest unfinished work has been running, in milliseconds. */
  readonly longestMs: number;
}

const registry = new MetricRegistry();
const queues = new Set<MeasuredQueue>();
const labels = ['name'];

/** Work queues of this process, whoever runs them, in client-go's names. */
export const workQueueMetrics = {
  adds: registry.counter({ name: 'workqueue_adds_total', help: 'Keys added.', labels }),
  retries: registry.counter({ name: 'workqueue_retries_total', help: 'Keys tried again.', labels }),
  work: registry.histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'Time that one key took.',
    labels,
    bucketsSeconds: SECONDS,
  }),
  add(queue: MeasuredQueue): void {
    queues.add(queue);
  },
  remove(queue: MeasuredQueue): void {
    queues.delete(queue);
  },
  render: (): string => registry.render(),
};

const read = (value: (queue: MeasuredQueue) => number) => (): Sample[] => {
  const sums = new Map<string, number>();
  for (const queue of queues) sums.set(queue.name, (sums.get(queue.name) ?? 0) + value(queue));
  return [...sums].map(([name, sum]) => ({ labels: [name], value: sum }));
};
registry.collect({
  name: 'workqueue_depth',
  help: 'Keys that wait.',
  type: 'gauge',
  labels,
  read: read(({ depth }) => depth),
});
registry.collect({
  name: 'workqueue_longest_running_processor_seconds',
  help: 'How long the work that takes longest has been running.',
  type: 'gauge',
  labels,
  read: read(({ longestMs }) => longestMs / 1000),
});
