/** A URL as Go's net/url takes it apart. */
export interface GoUrl {
  readonly scheme: string;
  /** With the port. */
  readonly host: string;
  /** As written, or escaped where it has to be. */
  readonly escapedPath: string;
  /** Without the question mark. */
  readonly query: string;
}

/** Not a URL; the message is Go's. */
export class UrlError extends Error {
  override readonly name = 'UrlError';
}

/**
 * An absolute URL or an absolute path, as `url.ParseRequestURI` of Go takes it (a fragment counts only for where the
 * rest ends). Throws `UrlError`.
 */
export function parseRequestUri(text: string): GoUrl {
  const wrong = (why: string): UrlError => new UrlError(`parse ${JSON.stringify(text)}: ${why}`);
  if (text === '') throw wrong('empty url');
  if (/[\x00-\x1f\x7f]/.test(text)) throw wrong('net/url: invalid control character in URL');
  const [, scheme = '', rest = ''] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(.*)$/s.exec(text) ?? [];
  if (scheme === '' && text.startsWith(':')) throw wrong('missing protocol scheme');
  const hash = rest.indexOf('#');
  const [before, ...query] = (hash < 0 ? rest : rest.slice(0, hash)).split('?');
  const parts = { scheme: scheme.toLowerCase(), query: query.join('?') };
  const hierarchy = before ?? '';
  if (!hierarchy.startsWith('/')) {
    if (scheme === '') throw wrong('invalid URI for request');
    return { ...parts, host: '', escapedPath: '' };
  }
  // Two slashes begin a host where there is a scheme, or where they are no three.
  const hasHost = hierarchy.startsWith('//') && (scheme !== '' || !hierarchy.startsWith('///'));
  const end = hasHost ? hierarchy.indexOf('/', 2) : 0;
  const authority = hasHost ? hierarchy.slice(2, end < 0 ? undefined : end) : '';
  const path = end < 0 ? '' : hierarchy.slice(end);
  return { ...parts, host: parseHost(authority, wrong), escapedPath: escapePath(path, wrong) };
}

function parseHost(authority: string, wrong: (why: string) => UrlError): string {
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (
    authority.includes('@') &&
    /[^A-Za-z0-9\-._:~!$&'()*+,;=%@]/.test(authority.slice(0, authority.lastIndexOf('@')))
  )
    throw wrong('net/url: invalid userinfo');
  const bracket = host.startsWith('[') ? host.lastIndexOf(']') : -1;
  if (host.startsWith('[') && bracket < 0) throw wrong("missing ']' in host");
  const colon = host.startsWith('[') ? bracket + 1 : host.lastIndexOf(':');
  const port = colon < 0 ? '' : host.slice(colon);
  if (!/^(?::\d*)?$/.test(port)) throw wrong(`invalid port ${JSON.stringify(port)} after host`);
  const found = /[^A-Za-z0-9\-._~!$&'()*+,;=:[\]<>"%\u0080-\uffff]/.exec(host);
  if (found) throw wrong(`invalid character ${JSON.stringify(found[0])} in host name`);
  const malformed = /%(?![89A-Fa-f][0-9A-Fa-f])(.{0,2})/.exec(host);
  if (malformed && !host.startsWith('['))
    throw wrong(`invalid URL escape ${JSON.stringify(`%${malformed[1]}`)}`);
  return host.startsWith('[') ? host : decodeURIComponentOr(host);
}

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const PLAIN_PATH = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@[\]/]|%[0-9A-Fa-f]{2})*$/;

function escapePath(path: string, wrong: (why: string) => UrlError): string {
  const malformed = /%(?![0-9A-Fa-f]{2})(.{0,2})/.exec(path);
  if (malformed) throw wrong(`invalid URL escape ${JSON.stringify(`%${malformed[1]}`)}`);
  if (PLAIN_PATH.test(path)) return path;
  const bytes = Buffer.from(path);
  return [...unescapeBytes(bytes)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      if (/[A-Za-z0-9\-._~$&+,/:=@]/.test(character)) return character;
      return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

function unescapeBytes(bytes: Buffer): Buffer {
  const plain: number[] = [];
  for (let index = 0; index < bytes.length; index++) {
    const isEscape = bytes[index] === 0x25;
    plain.push(
      isEscape ? Number.parseInt(bytes.toString('latin1', index + 1, index + 3), 16) : bytes[index]!,
    );
    if (isEscape) index += 2;
  }
  return Buffer.from(plain);
}

/** Without the port and brackets. */
export function hostname({ host }: GoUrl): string {
  const [, bracketed] = /^\[(.*)\](?::\d*)?$/.exec(host) ?? [];
  return bracketed ?? host.replace(/:\d*$/, '');
}

export function port({ host }: GoUrl): string {
  return /:(\d+)$/.exec(host.replace(/^\[.*\]/, ''))?.[1] ?? '';
}

/** The query's values by key; malformed pairs are left out, as Go's `URL.Query` does. */
export function queryValues({ query }: GoUrl): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const pair of query.split('&')) {
    if (pair === '' || pair.includes(';')) continue;
    const at = pair.indexOf('=');
    const parts = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    const [key, value] = parts.map(unescapeQuery);
    if (key === undefined || value === undefined) continue;
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  return values;
}

function unescapeQuery(text: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  return unescapeBytes(Buffer.from(text.replaceAll('+', ' '))).toString('utf8');
}
