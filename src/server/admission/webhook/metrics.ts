import type { AdmissionOperation } from '../port.ts';

export type WebhookType = 'admit' | 'validating';

/** Why a request was refused, as upstream's `error_type`. */
export type RejectionError = 'no_error' | 'calling_webhook_error' | 'apiserver_internal_error';

export interface Observation {
  readonly name: string;
  readonly type: WebhookType;
  readonly operation: AdmissionOperation;
  readonly rejected: boolean;
  /** HTTP status of the webhook's answer or of what stands in for it. */
  readonly code: number;
  readonly durationMs: number;
  readonly error?: RejectionError;
  /** The call failed and the request went on all the same. */
  readonly failedOpen?: boolean;
}

/** Different webhooks counted; names come from whoever may write configurations. */
const MAX_SERIES = 500;

/** Counters about webhooks in upstream's names. */
export class WebhookMetrics {
  readonly #calls = new Map<string, { count: number; seconds: number }>();
  readonly #requests = new Map<string, number>();
  readonly #rejections = new Map<string, number>();
  readonly #failedOpen = new Map<string, number>();

  observe({ name, type, operation, rejected, code, durationMs, error, failedOpen }: Observation): void {
    const who = `name=${JSON.stringify(name)}`;
    const call = `${who},operation="${operation}",rejected="${rejected}",type="${type}"`;
    const known = this.#calls.get(call) ?? { count: 0, seconds: 0 };
    if (!this.#calls.has(call) && this.#calls.size >= MAX_SERIES) return;
    this.#calls.set(call, { count: known.count + 1, seconds: known.seconds + durationMs / 1000 });
    count(this.#requests, `code="${Math.min(code, 600)}",${call}`);
    if (rejected && error)
      count(
        this.#rejections,
        `error_type="${error}",${who},operation="${operation}",rejection_code="${Math.min(code, 600)}",type="${type}"`,
      );
    if (failedOpen) count(this.#failedOpen, `${who},type="${type}"`);
  }

  /** Lines of Prometheus' text format. */
  render(): string[] {
    const calls = [...this.#calls];
    const duration = 'apiserver_admission_webhook_admission_duration_seconds';
    return [
      ...head(duration, 'summary', 'Time that webhooks took, by name.'),
      ...calls.map(([labels, { seconds }]) => `${duration}_sum{${labels}} ${seconds}`),
      ...calls.map(([labels, one]) => `${duration}_count{${labels}} ${one.count}`),
      ...counter('apiserver_admission_webhook_request_total', 'Calls of webhooks.', this.#requests),
      ...counter(
        'apiserver_admission_webhook_rejection_count',
        'Requests refused because of webhooks.',
        this.#rejections,
      ),
      ...counter(
        'apiserver_admission_webhook_fail_open_count',
        'Calls that failed and were passed over.',
        this.#failedOpen,
      ),
    ];
  }
}

function count(counters: Map<string, number>, labels: string): void {
  counters.set(labels, (counters.get(labels) ?? 0) + 1);
}

function counter(name: string, help: string, values: ReadonlyMap<string, number>): string[] {
  return [
    ...head(name, 'counter', help),
    ...[...values].map(([labels, value]) => `${name}{${labels}} ${value}`),
  ];
}

function head(name: string, type: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}
