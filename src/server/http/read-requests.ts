import { LIMITS } from '../../lib/limits.ts';
import { parseRequest, type RequestInfo } from './request-info.ts';

/** What the first line of a request says. Shared by all requests that say the same: nothing in it may be changed. */
export interface RequestTarget {
  readonly path: string;
  readonly query: URLSearchParams;
  /** `undefined` where the path cannot be decoded. */
  readonly info: RequestInfo | undefined;
}

/**
 * Reads the first lines of requests. Most have come before: a Lease is renewed, a collection is written to again. Those
 * are known, as many as fit; then all are forgotten and learnt anew.
 */
export class ReadRequests {
  readonly #known = new Map<string, Map<string, RequestTarget>>();
  #count = 0;

  read(method: string, url: string): RequestTarget {
    const found = this.#known.get(url)?.get(method);
    if (found !== undefined) return found;
    const target = readTarget(method, url);
    if (method.length + url.length <= LIMITS.http.knownChars) this.#learn(method, url, target);
    return target;
  }

  #learn(method: string, url: string, target: RequestTarget): void {
    if (this.#count >= LIMITS.http.knownRequests) {
      this.#known.clear();
      this.#count = 0;
    }
    const methods = this.#known.get(url);
    if (methods) methods.set(method, target);
    else this.#known.set(url, new Map([[method, target]]));
    this.#count++;
  }
}

function readTarget(method: string, url: string): RequestTarget {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? NO_QUERY : new URLSearchParams(url.slice(mark + 1));
  return { path, query, info: parseRequest(method, path, query) };
}

const NO_QUERY = new URLSearchParams();
