/** The parts of undici that are used; its index would load fetch, caches and WebSockets, too (decision 0063). */
declare module 'undici/lib/dispatcher/pool.js' {
  import type { Pool as PublicPool } from 'undici';

  /** `request` is added by the index only. */
  type Pool = Omit<PublicPool, 'request'>;
  const Pool: new (...args: ConstructorParameters<typeof PublicPool>) => Pool;
  export = Pool;
}

declare module 'undici/lib/api/api-request.js' {
  import type { Dispatcher } from 'undici';
  import type Pool from 'undici/lib/dispatcher/pool.js';

  function request(this: Pool, options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData>;
  export = request;
}
