import { type Answer, encode } from 'dns-packet';
import { LIMITS } from '../../lib/limits.ts';
import type { Forwarder } from './forwarder.ts';
import { type Query, RCODE, type Reply } from './message.ts';
import type { ServiceView } from './service-index.ts';
import { answerFromZone, TTL_SECONDS, type ZoneRecord } from './zone.ts';

export interface ResolverOptions {
  readonly view: ServiceView;
  readonly clusterDomain: string;
  readonly forwarder: Pick<Forwarder, 'ask'>;
  /** 0 to 1; spreads clients over the addresses of a headless Service. */
  readonly random?: () => number;
}

/** One answer per question: from the cluster's zone, or from outside. */
export class Resolver {
  readonly #options: ResolverOptions;

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  async resolve(query: Query): Promise<Reply> {
    return this.#resolve(query, 0);
  }

  async #resolve(query: Query, depth: number): Promise<Reply> {
    const { view, clusterDomain, forwarder, random = Math.random } = this.#options;
    const isOurs = query.name === clusterDomain || query.name.endsWith(`.${clusterDomain}`);
    // "Does not exist" would be believed; a failure is asked again.
    if (isOurs && !view.synced) return { rcode: RCODE.serverFailure };
    const found = answerFromZone(view, clusterDomain, query.name, query.type);
    if (found.kind === 'foreign') return forwarder.ask(query);
    if (found.kind === 'nxdomain') return this.#negative(RCODE.nameError);
    const named = found.records.map((record) => ({ ...record, name: query.originalName }));
    if (found.alias !== undefined && depth < LIMITS.dns.cnameDepth) {
      const further = await this.#resolve(aliasQuery(query, found.alias), depth + 1);
      return {
        ...further,
        authoritative: true,
        answers: [...named.map(toAnswer), ...(further.answers ?? [])],
      };
    }
    if (named.length === 0) return this.#negative(RCODE.noError);
    return {
      rcode: RCODE.noError,
      authoritative: true,
      answers: shuffled(named, random).map(toAnswer),
      additionals: found.additional.map(toAnswer),
    };
  }

  #negative(rcode: number): Reply {
    const { clusterDomain } = this.#options;
    const soa: Answer = {
      ...{ type: 'SOA', name: clusterDomain, ttl: TTL_SECONDS },
      data: {
        mname: `ns.dns.${clusterDomain}`,
        rname: `hostmaster.${clusterDomain}`,
        ...{ serial: 1, refresh: 7200, retry: 1800, expire: 86_400, minimum: TTL_SECONDS },
      },
    };
    return { rcode, authoritative: true, authorities: [soa] };
  }
}

function toAnswer(record: ZoneRecord): Answer {
  return record as unknown as Answer;
}

/** The same question about another name. */
function aliasQuery(query: Query, name: string): Query {
  const [question] = query.packet.questions ?? [];
  const packet = { ...query.packet, questions: question ? [{ ...question, name }] : [] };
  return { ...query, packet, name, originalName: name, bytes: encode({ ...packet, type: 'query' }) };
}

function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  const result = [...items];
  for (let at = result.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    const held = result[at] as T;
    result[at] = result[other] as T;
    result[other] = held;
  }
  return result;
}
