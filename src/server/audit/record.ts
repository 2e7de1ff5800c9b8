import { isObject } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';
import type { Status } from '../../api/types.gen.ts';
import { type Clock, rfc3339Micro } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { RequestInfo } from '../http/request-info.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { AuditDecision, AuditLevel, AuditStage } from './policy.ts';

/** What is known of a request before anything of it is read. */
export interface RequestFacts {
  readonly id: string;
  readonly uri: string;
  readonly sourceIPs: readonly string[];
  readonly userAgent: string;
}

export interface AuditRecordOptions {
  readonly decision: AuditDecision;
  readonly user: UserInfo;
  readonly info: RequestInfo;
  readonly facts: RequestFacts;
  readonly clock: Clock;
  readonly write: (line: string) => void;
}

const RANK: Readonly<Record<AuditLevel, number>> = { None: 0, Metadata: 1, Request: 2, RequestResponse: 3 };
/** What a webhook changed is part of an object, Secrets included: as upstream, only for those who see objects. */
const SHOWS_OBJECT = 'patch.webhook.admission.k8s.io/';
const USER_AGENT_CHARS = 1024;
const TRUNCATED = '...TRUNCATED';

/** One request on its way through the server, as the audit log tells of it. */
export class AuditRecord {
  readonly #options: AuditRecordOptions;
  readonly #receivedMs: number;
  readonly #annotations = new Map<string, string>();
  #impersonated: UserInfo | undefined;
  #constraint = '';
  #request: unknown;
  #response: unknown;
  #object: KubeObject['metadata'] | undefined;
  #status: Partial<Status> | undefined;

  constructor(options: AuditRecordOptions) {
    this.#options = options;
    this.#receivedMs = options.clock.now();
    this.#stage('RequestReceived');
  }

  #wants(level: AuditLevel): boolean {
    return RANK[this.#options.decision.level] >= RANK[level];
  }
  /** Whether a response body is wanted at all: it may be worth not making one. */
  get wantsResponse(): boolean {
    return this.#wants('RequestResponse');
  }

  annotate(key: string, value: string): void {
    if (key.startsWith(SHOWS_OBJECT) && !this.#wants('Request')) return;
    this.#annotations.set(key, value);
  }

  impersonates(user: UserInfo, constraint: string): void {
    this.#impersonated = user;
    this.#constraint = constraint;
  }

  requestObject(body: unknown): void {
    if (isObject(body) && isObject(body['metadata'])) this.#object = body['metadata'];
    if (this.#wants('Request')) this.#request = body;
  }

  /** A whole answer, decoded or as its JSON text. A Status also tells how it ended. */
  responseObject(body: unknown): void {
    const isStatus = isObject(body) && body['kind'] === 'Status';
    if (isStatus) {
      const { status, message, reason, details } = body as Status;
      this.#status = { ...(status ? { status } : {}), ...(message ? { message } : {}) };
      if (reason) this.#status.reason = reason;
      if (details) this.#status.details = details;
    }
    if (this.wantsResponse) this.#response = body;
  }

  /** Headers are out, the rest takes a while (watches, logs, exec). */
  started(code: number): void {
    this.#stage('ResponseStarted', code);
  }

  /** It is over. `annotations` are what admission had to say. */
  complete(code: number, annotations: ReadonlyMap<string, string>): void {
    for (const [key, value] of annotations) this.annotate(key, value);
    this.#stage('ResponseComplete', code);
  }

  #stage(stage: AuditStage, code?: number): void {
    const { decision, write } = this.#options;
    if (decision.omitStages.has(stage)) return;
    const line = JSON.stringify(this.#event(stage, code));
    if (line.length <= LIMITS.audit.eventChars) write(line);
    else {
      // As upstream's truncating backend: an event that is too long loses the objects.
      this.#request = undefined;
      this.#response = undefined;
      this.annotate('audit.k8s.io/truncated', 'true');
      write(JSON.stringify(this.#event(stage, code)));
    }
  }

  #event(stage: AuditStage, code: number | undefined): object {
    const { decision, facts, user, info, clock } = this.#options;
    const annotations = Object.fromEntries([...this.#annotations].sort(([a], [b]) => (a < b ? -1 : 1)));
    const metadata = { ...(code === undefined ? {} : { responseStatus: this.#responseStatus(code) }) };
    return {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: decision.level,
      auditID: facts.id,
      stage,
      requestURI: facts.uri,
      verb: info.verb,
      user: shownUser(user),
      ...(this.#impersonated ? { impersonatedUser: shownUser(this.#impersonated) } : {}),
      ...(this.#constraint === ''
        ? {}
        : { authenticationMetadata: { impersonationConstraint: this.#constraint } }),
      sourceIPs: facts.sourceIPs,
      ...(facts.userAgent === '' ? {} : { userAgent: shortened(facts.userAgent) }),
      ...(info.isResource ? { objectRef: this.#objectRef(info) } : {}),
      ...metadata,
      ...(this.#request === undefined ? {} : { requestObject: this.#shown(this.#request) }),
      ...(this.#response === undefined ? {} : { responseObject: this.#shown(this.#response) }),
      requestReceivedTimestamp: rfc3339Micro(this.#receivedMs),
      stageTimestamp: rfc3339Micro(clock.now()),
      ...(this.#annotations.size === 0 ? {} : { annotations }),
    };
  }

  #responseStatus(code: number): object {
    return { metadata: {}, ...this.#status, code };
  }

  #objectRef({
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
  }: Extract<RequestInfo, { isResource: true }>) {
    const { uid, resourceVersion, name: own, namespace: ownNamespace } = this.#object ?? {};
    const all = {
      resource,
      namespace: namespace || ownNamespace,
      name: name || own,
      uid,
      apiGroup: group,
      apiVersion: version,
      resourceVersion,
      subresource,
    };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined && value !== ''));
  }

  #shown(body: unknown): unknown {
    const value: unknown = Buffer.isBuffer(body) ? JSON.parse(body.toString('utf8')) : body;
    return this.#options.decision.omitManagedFields ? withoutManagedFields(value) : value;
  }
}

function withoutManagedFields(value: unknown): unknown {
  if (!isObject(value)) return value;
  const items = value['items'];
  if (Array.isArray(items)) return { ...value, items: items.map(withoutManagedFields) };
  const { metadata } = value;
  if (!isObject(metadata) || metadata['managedFields'] === undefined) return value;
  const { managedFields: _, ...rest } = metadata;
  return { ...value, metadata: rest };
}

function shownUser({ name, uid, groups, extra = {} }: UserInfo): object {
  return {
    username: name,
    ...(uid ? { uid } : {}),
    ...(groups.length > 0 ? { groups } : {}),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  };
}

function shortened(userAgent: string): string {
  return userAgent.length <= USER_AGENT_CHARS
    ? userAgent
    : userAgent.slice(0, USER_AGENT_CHARS - TRUNCATED.length) + TRUNCATED;
}
