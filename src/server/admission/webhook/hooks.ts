import { EVERYTHING, type Selector, selectorFromObject } from '../../../api/labels.ts';
import type { KubeObject } from '../../../api/resource.ts';
import type { LabelSelector, MutatingWebhook, ValidatingWebhook } from '../../../api/types.gen.ts';
import type { CachedObject, WatchCache } from '../../watchcache/port.ts';
import { MatchConditions } from '../expressions/match-conditions.ts';

export type Webhook = ValidatingWebhook & Pick<MutatingWebhook, 'reinvocationPolicy'>;

/** One webhook of one configuration, ready to be held against requests. */
export interface Hook {
  /** Tells webhooks of one name apart. */
  readonly id: string;
  readonly configuration: string;
  readonly webhook: Webhook;
  /** Everything where it is absent. */
  readonly namespaceSelector: Selector;
  readonly objectSelector: Selector;
  readonly conditions: MatchConditions | undefined;
}

interface Configuration extends KubeObject {
  readonly webhooks?: readonly Webhook[];
}

/** All webhooks of one kind of configuration, as the watch cache has them: by configuration name, then as listed. */
export class Hooks {
  readonly #cache: WatchCache;
  #known: readonly CachedObject[] = [];
  #hooks: readonly Hook[] = [];

  constructor(cache: WatchCache) {
    this.#cache = cache;
  }

  /** Costs a look at the cache's records; parses only what changed since the last look. */
  get all(): readonly Hook[] {
    if (this.#cache.size === 0) return [];
    const now = this.#cache.list({});
    if (now.length !== this.#known.length || now.some((one, index) => one !== this.#known[index])) {
      this.#known = now;
      this.#hooks = now.flatMap((one) => hooksOf(one.object()));
    }
    return this.#hooks;
  }
}

function hooksOf({ metadata, webhooks = [] }: Configuration): Hook[] {
  const { name: configuration = '' } = metadata;
  const seen = new Map<string, number>();
  return webhooks.map((webhook) => {
    const count = seen.get(webhook.name) ?? 0;
    seen.set(webhook.name, count + 1);
    return {
      id: `${configuration}/${webhook.name}/${count}`,
      configuration,
      webhook,
      namespaceSelector: selectorOf(webhook.namespaceSelector),
      objectSelector: selectorOf(webhook.objectSelector),
      conditions: conditionsOf(webhook),
    };
  });
}

function conditionsOf({ matchConditions, failurePolicy }: Webhook): MatchConditions | undefined {
  return matchConditions?.length ? new MatchConditions(matchConditions, { failurePolicy }) : undefined;
}

function selectorOf(selector: LabelSelector | undefined): Selector {
  return selector === undefined ? EVERYTHING : selectorFromObject(selector);
}
