import { type GoUrl, hostname, parseRequestUri, port, queryValues, UrlError } from '../../go-url.ts';
import type { Declaration } from '../declaration.ts';
import { entryMap } from '../operators.ts';
import { opaque } from '../types.ts';
import { CelError, ListValue, OpaqueValue } from '../values.ts';

const URL_TYPE = opaque('kubernetes.URL');

class UrlValue extends OpaqueValue {
  readonly type = URL_TYPE;
  readonly text: string;
  readonly url: GoUrl;
  constructor(text: string) {
    super();
    this.text = text;
    this.url = parseRequestUri(text);
  }
  override equals(other: OpaqueValue): boolean {
    return other instanceof UrlValue && this.text === other.text;
  }
}

function url(text: string): UrlValue {
  try {
    return new UrlValue(text);
  } catch (error) {
    if (error instanceof UrlError)
      throw new CelError(`URL parse error during conversion from string: ${error.message}`);
    throw error;
  }
}

/** Whether Go would take it for a request URI; what is wrong otherwise. */
export function urlProblem(text: string): string | undefined {
  try {
    parseRequestUri(text);
    return undefined;
  } catch (error) {
    if (error instanceof UrlError) return error.message;
    throw error;
  }
}

/** Kubernetes' URL library. */
export const urlDeclarations = (): readonly Declaration[] => [
  ['url(string): kubernetes.URL', url],
  ['isURL(string): bool', (text: string) => urlProblem(text) === undefined],
  ['(kubernetes.URL).getScheme(): string', ({ url: { scheme } }: UrlValue) => scheme],
  ['(kubernetes.URL).getHost(): string', ({ url: { host } }: UrlValue) => host],
  ['(kubernetes.URL).getHostname(): string', (value: UrlValue) => hostname(value.url)],
  ['(kubernetes.URL).getPort(): string', (value: UrlValue) => port(value.url)],
  ['(kubernetes.URL).getEscapedPath(): string', ({ url: { escapedPath } }: UrlValue) => escapedPath],
  [
    '(kubernetes.URL).getQuery(): map<string, list<string>>',
    (value: UrlValue) =>
      entryMap([...queryValues(value.url)].map(([key, values]) => [key, ListValue.of(values)] as const)),
  ],
];
