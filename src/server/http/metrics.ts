import type { Clock } from '../../lib/clock.ts';
import { VERSION } from '../../lib/version.ts';
import type { Inflight } from './inflight.ts';
import type { RequestInfo } from './request-info.ts';

interface Counter {
  requests: number;
  seconds: number;
}

/** What `/metrics` shows, in upstream's names and Prometheus' text format. Costs a map entry per kind of request. */
export class Metrics {
  readonly #counters = new Map<string, Counter>();
  readonly #startedAtMs: number;

  readonly #more: () => readonly string[];

  /** `more` gives further lines. */
  constructor(clock: Clock, more: () => readonly string[] = () => []) {
    this.#more = more;
    this.#startedAtMs = clock.now();
  }

  count(info: RequestInfo | undefined, method: string, code: number, durationMs: number): void {
    const labels = info?.isResource
      ? `code="${code}",group="${label(info.group)}",resource="${label(info.resource)}",subresource="${label(info.subresource)}",verb="${label(info.verb.toUpperCase())}",version="${label(info.version)}"`
      : `code="${code}",group="",resource="",subresource="",verb="${label(method)}",version=""`;
    let counter = this.#counters.get(labels);
    if (!counter) {
      if (this.#counters.size >= MAX_SERIES) return;
      counter = { requests: 0, seconds: 0 };
      this.#counters.set(labels, counter);
    }
    counter.requests++;
    counter.seconds += durationMs / 1000;
  }

  render(inflight: Inflight, watches: number): string {
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const counters = [...this.#counters];
    return [
      ...family('apiserver_request_total', 'counter', 'Requests by verb, resource and code.'),
      ...counters.map(([labels, { requests }]) => `apiserver_request_total{${labels}} ${requests}`),
      ...family('apiserver_request_duration_seconds', 'summary', 'Time from first byte in to answer given.'),
      ...counters.map(
        ([labels, { seconds }]) => `apiserver_request_duration_seconds_sum{${labels}} ${seconds}`,
      ),
      ...counters.map(
        ([labels, { requests }]) => `apiserver_request_duration_seconds_count{${labels}} ${requests}`,
      ),
      ...family('apiserver_current_inflight_requests', 'gauge', 'Requests under way.'),
      `apiserver_current_inflight_requests{request_kind="readOnly"} ${inflight.reads}`,
      `apiserver_current_inflight_requests{request_kind="mutating"} ${inflight.writes}`,
      ...family('apiserver_longrunning_requests', 'gauge', 'Watches under way.'),
      `apiserver_longrunning_requests{verb="WATCH"} ${watches}`,
      ...family('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.'),
      `process_resident_memory_bytes ${rss}`,
      ...family('process_heap_bytes', 'gauge', 'Used JavaScript heap in bytes.'),
      `process_heap_bytes ${heapUsed}`,
      ...family('process_cpu_seconds_total', 'counter', 'User and system CPU time spent in seconds.'),
      `process_cpu_seconds_total ${(user + system) / 1e6}`,
      ...family(
        'process_start_time_seconds',
        'gauge',
        'Start time of the server since the epoch in seconds.',
      ),
      `process_start_time_seconds ${this.#startedAtMs / 1000}`,
      ...family('kubernetes_build_info', 'gauge', 'Version served.'),
      `kubernetes_build_info{git_version="${VERSION}"} 1`,
      ...this.#more(),
      '',
    ].join('\n');
  }
}

/** Paths and verbs come from clients; their variety must not grow memory. */
const MAX_SERIES = 2000;

function family(name: string, type: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function label(text: string): string {
  return text.slice(0, 64).replace(/[\\"\n]/g, '_');
}
