/** Where a proxied page lies for the client, so that what it links to is found there, too. */
export interface PageAddress {
  /** Path of the proxy, such as `/api/v1/namespaces/a/services/web/proxy`. */
  readonly prefix: string;
  /** As the client sent it. */
  readonly host: string;
  /** `address:port` of the backend. */
  readonly backendHost: string;
}

/** An absolute path of the backend as the client has to ask for it; anything else as it is (upstream's rewriteURL). */
export function rewriteUrl(target: string, { prefix, host, backendHost }: PageAddress): string {
  const match = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(.*)$/is.exec(target);
  if (!match) return target;
  const [, scheme, authority, path = '', rest = ''] = match;
  // `mailto:` and its like have no path that is ours.
  if (scheme !== undefined && authority === undefined) return target;
  const isElsewhere = authority !== undefined && authority !== host && authority !== backendHost;
  if (isElsewhere || !path.startsWith('/')) return target;
  // Our own address may stay; the backend's means nothing to the client.
  const kept = authority === host ? `${scheme === undefined ? '' : `${scheme}:`}//${authority}` : '';
  return `${kept}${path.startsWith(prefix) ? path : joinPath(prefix, path)}${rest}`;
}

/** Both as one path, without empty and dot segments; a slash at the end stays. */
export function joinPath(prefix: string, path: string): string {
  const segments: string[] = [];
  for (const segment of `${prefix}/${path}`.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}${path.endsWith('/') && segments.length > 0 ? '/' : ''}`;
}
