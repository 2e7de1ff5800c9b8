import type { Resource } from '../../api/resource.ts';
import type { AdmissionPlugin, AdmissionTarget } from './port.ts';

/** A plugin that does one thing. */
export type Doing<K extends 'mutate' | 'validate'> = AdmissionPlugin & Required<Pick<AdmissionPlugin, K>>;

/** Those that have to do with one target, in order. */
export interface Concerned {
  readonly mutating: readonly Doing<'mutate'>[];
  readonly validating: readonly Doing<'validate'>[];
}

/** All admission plugins in their order. Which of them a write concerns is found out once for each target. */
export class AdmissionChain {
  #plugins: readonly AdmissionPlugin[] = [];
  /** By operation and subresource; those of a resource that is no longer served go with it. */
  #known = new WeakMap<Resource, Map<string, Concerned>>();

  /** Runs these from now on; none before the first call. */
  use(plugins: readonly AdmissionPlugin[]): void {
    this.#plugins = plugins;
    this.#known = new WeakMap();
  }

  of(target: AdmissionTarget): Concerned {
    const { operation, resource, subresource } = target;
    let known = this.#known.get(resource);
    if (known === undefined) {
      known = new Map();
      this.#known.set(resource, known);
    }
    const key = subresource === '' ? operation : `${operation} ${subresource}`;
    let concerned = known.get(key);
    if (concerned === undefined) {
      concerned = this.#concerned(target);
      known.set(key, concerned);
    }
    return concerned;
  }

  #concerned(target: AdmissionTarget): Concerned {
    const all = this.#plugins.filter(({ concerns }) => concerns?.(target) !== false);
    return {
      mutating: all.filter((one): one is Doing<'mutate'> => one.mutate !== undefined),
      validating: all.filter((one): one is Doing<'validate'> => one.validate !== undefined),
    };
  }
}
