import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../../lib/clock.ts';
import { type HistogramSeries, MetricRegistry, type Sample } from '../../lib/metrics.ts';
import { VERSION } from '../../lib/version.ts';
import type { RequestInfo } from './request-info.ts';

/** A part of upstream's boundaries: what dashboards and alerts ask for. */
const REQUEST_SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 1, 2, 5, 10, 30, 60];
const ADMISSION_SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5];
const REQUEST_LABELS = [
  'verb',
  'dry_run',
  'group',
  'version',
  'resource',
  'subresource',
  'scope',
  'component',
];

/** Upstream counts by HTTP method, but tells lists, watches and applies apart. */
const VERBS: Readonly<Record<string, string>> = { create: 'POST', update: 'PUT', get: 'GET' };

export interface CountedRequest {
  /** `undefined` for what is not served: clients must not make labels. */
  readonly info: RequestInfo | undefined;
  readonly method: string;
  readonly contentType: string;
  readonly isDryRun: boolean;
  readonly code: number;
  readonly durationMs: number;
}

/** What `/metrics` shows of the API server, in upstream's names. */
export class Metrics {
  readonly registry = new MetricRegistry();
  /** Requests under way, without those that last. */
  readonly inflight = { readOnly: 0, mutating: 0 };
  readonly #requests = this.registry.counter({
    name: 'apiserver_request_total',
    help: 'Requests by verb, resource and code.',
    labels: [...REQUEST_LABELS, 'code'],
  });
  readonly #durations = this.registry.histogram({
    name: 'apiserver_request_duration_seconds',
    help: 'Time from the request to its whole answer.',
    labels: REQUEST_LABELS,
    bucketsSeconds: REQUEST_SECONDS,
  });
  readonly #aborts = this.registry.counter({
    name: 'apiserver_request_aborts_total',
    help: 'Requests whose client left before the answer was complete.',
    labels: ['verb', 'group', 'version', 'resource', 'subresource', 'scope'],
  });
  readonly authentications = this.registry.counter({
    name: 'authentication_attempts',
    help: 'Credentials looked at.',
    labels: ['result'],
  });
  readonly authorizations = this.registry.counter({
    name: 'apiserver_authorization_decisions_total',
    help: 'Requests that were allowed or denied.',
    labels: ['decision'],
  });
  readonly watchEvents = this.registry.counter({
    name: 'apiserver_watch_events_total',
    help: 'Events sent to watchers over the network.',
    labels: ['group', 'version', 'resource'],
  });
  readonly handshakeErrors = this.registry.counter({
    name: 'apiserver_tls_handshake_errors_total',
    help: 'TLS handshakes that failed.',
  });
  readonly #plugins = this.registry.histogram({
    name: 'apiserver_admission_controller_admission_duration_seconds',
    help: 'Time that admission plugins took, by name.',
    labels: ['name', 'operation', 'rejected', 'type'],
    bucketsSeconds: ADMISSION_SECONDS,
  });
  readonly #more: (() => string)[] = [];

  constructor(clock: Clock) {
    const { registry } = this;
    registry.collect({
      name: 'apiserver_current_inflight_requests',
      help: 'Requests under way.',
      type: 'gauge',
      labels: ['request_kind'],
      read: () => [
        { labels: ['readOnly'], value: this.inflight.readOnly },
        { labels: ['mutating'], value: this.inflight.mutating },
      ],
    });
    collectProcess(registry, clock.now() / 1000);
  }

  count({ info, method, contentType, isDryRun, code, durationMs }: CountedRequest): void {
    const labels = labelsOf(info, method, contentType, isDryRun);
    this.#requests.add([...labels, String(code)]);
    this.#durations.of(...labels).observe(durationMs / 1000);
  }

  aborted(info: RequestInfo | undefined, method: string, contentType: string): void {
    const [verb = '', , ...rest] = labelsOf(info, method, contentType, false);
    this.#aborts.add([verb, ...rest.slice(0, 5)]);
  }

  /** How long one plugin takes for one operation. */
  admission(
    plugin: string,
    type: 'admit' | 'validate',
    operation: string,
    rejected: boolean,
  ): HistogramSeries {
    return this.#plugins.of(plugin, operation, String(rejected), type);
  }

  /** Further families, written by somebody else. */
  add(render: () => string): void {
    this.#more.push(render);
  }

  render(): string {
    return [this.registry.render(), ...this.#more.map((render) => render())].join('');
  }
}

function labelsOf(
  info: RequestInfo | undefined,
  method: string,
  contentType: string,
  isDryRun: boolean,
): string[] {
  const dryRun = isDryRun ? 'All' : '';
  if (!info?.isResource) return [knownMethod(method), dryRun, '', '', '', '', '', 'apiserver'];
  const { verb, group, version, resource, subresource, namespace, name } = info;
  const isApply = verb === 'patch' && contentType.startsWith('application/apply-patch');
  const shown = isApply ? 'APPLY' : (VERBS[verb] ?? verb.toUpperCase());
  const scope = name !== '' ? 'resource' : namespace !== '' ? 'namespace' : 'cluster';
  return [shown, dryRun, group, version, resource, subresource, scope, 'apiserver'];
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const knownMethod = (method: string): string => (METHODS.has(method) ? method : 'other');

function collectProcess(registry: MetricRegistry, startSeconds: number): void {
  const gauge = (name: string, help: string, read: () => number | Sample[], labels: string[] = []): void =>
    registry.collect({ name, help, type: 'gauge', labels, read });
  gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', () => process.memoryUsage.rss());
  gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes.', virtualBytes);
  gauge('process_open_fds', 'Number of open file descriptors.', () => countFiles('/proc/self/fd'));
  gauge('process_max_fds', 'Maximum number of open file descriptors.', maxFiles);
  gauge('process_start_time_seconds', 'Start time since the epoch in seconds.', () => startSeconds);
  gauge(
    'nodejs_heap_size_used_bytes',
    'Used JavaScript heap in bytes.',
    () => process.memoryUsage().heapUsed,
  );
  gauge('nodejs_external_memory_bytes', 'Buffers outside of the JavaScript heap in bytes.', () => {
    const { external } = process.memoryUsage();
    return external;
  });
  registry.collect({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time spent in seconds.',
    type: 'counter',
    read: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  });
  const [major = '', minor = ''] = VERSION.slice(1).split('.');
  gauge('kubernetes_build_info', 'Version served.', () => [{ labels: [VERSION, major, minor], value: 1 }], [
    'git_version',
    'major',
    'minor',
  ]);
}

function virtualBytes(): number {
  try {
    return Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[0]) * 4096;
  } catch {
    return 0;
  }
}

function countFiles(folder: string): number {
  try {
    return readdirSync(folder).length;
  } catch {
    return 0;
  }
}

function maxFiles(): number {
  try {
    const line = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'latin1'));
    return Number(line?.[1] ?? 0);
  } catch {
    return 0;
  }
}
