/**
 * The second round of mutating admission: where a webhook or policy changed the object, every plugin sees it again,
 * once (upstream's ReinvocationContext). Plugins keep what they need from the first round here.
 */
export class Reinvocation {
  /** The second round is under way. */
  isReinvoke = false;
  /** Somebody changed the object in a way that others may want to see. */
  isWanted = false;
  readonly #state = new Map<string, unknown>();

  /** What the plugin keeps for the length of the request. */
  stateOf<T>(plugin: string, make: () => T): T {
    if (!this.#state.has(plugin)) this.#state.set(plugin, make());
    return this.#state.get(plugin) as T;
  }
}
