import { copyJson, equalJson } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';

/**
 * The second round of mutating admission: where a webhook or policy changed the object, every plugin sees it again,
 * once (upstream's ReinvocationContext). Plugins keep what they need from the first round here.
 */
export class Reinvocation {
  /** The second round is under way. */
  isReinvoke = false;
  /** Somebody changed the object in a way that others may want to see. */
  isWanted = false;
  #state: Map<string, unknown> | undefined;

  /** What the plugin keeps for the length of the request. */
  stateOf<T>(plugin: string, make: () => T): T {
    this.#state ??= new Map();
    if (!this.#state.has(plugin)) this.#state.set(plugin, make());
    return this.#state.get(plugin) as T;
  }
}

/** What has to be known of the first round when a second one comes (upstream's webhookReinvokeContext). */
export class Rounds {
  /** Asked, and willing to be asked again. */
  readonly #asked = new Set<string>();
  readonly #again = new Set<string>();
  #lastOutput: KubeObject | undefined;

  isAgain(id: string): boolean {
    return this.#again.has(id);
  }
  asked(id: string): void {
    this.#asked.add(id);
  }
  /** Something changed: those who saw the object before have to see it once more. */
  changed(): void {
    for (const id of this.#asked) this.#again.add(id);
    this.#asked.clear();
  }
  leave(object: KubeObject | undefined): void {
    this.#lastOutput = object && this.#asked.size + this.#again.size > 0 ? copyJson(object) : undefined;
  }
  isOutputChanged(object: KubeObject | undefined): boolean {
    return this.#lastOutput !== undefined && !equalJson(this.#lastOutput, object);
  }
}
