import { Transform, type TransformCallback } from 'node:stream';

/** Attributes that hold an address, by element (HTML 4.01 and 5). */
const LINKS: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

/** What stands in them is no markup. */
const RAW_TEXT = /^(script|style|textarea|title|xmp|iframe|noembed|noframes|plaintext)$/;

/** A tag longer than this is passed on as it is: one that arrives in drops is looked at again with each. */
const MAX_TAG_CHARS = 16 * 1024;

/**
 * Rewrites the addresses in a page as it streams by; every other byte stays as it is. Bytes are read as Latin-1, which
 * keeps those of UTF-8 whole.
 */
export class HtmlLinks extends Transform {
  readonly #rewrite: (address: string) => string;
  #pending = '';
  /** The element whose text is under way. */
  #rawText: string | undefined;

  constructor(rewrite: (address: string) => string) {
    super();
    this.#rewrite = rewrite;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#pending += chunk.toString('latin1');
    this.#advance();
    done();
  }

  override _flush(done: TransformCallback): void {
    this.#emit(this.#pending);
    done();
  }

  #advance(): void {
    let text = this.#pending;
    let output = '';
    for (;;) {
      const raw = this.#rawText;
      const length = raw === undefined ? markupLength(text) : rawLength(text, raw);
      const piece = text.slice(0, length);
      output += raw === undefined && piece.startsWith('<') && piece.endsWith('>') ? this.#tag(piece) : piece;
      text = text.slice(length);
      if (raw !== undefined && closes(text, raw)) this.#rawText = undefined;
      else if (length === 0) break;
    }
    this.#pending = text;
    this.#emit(output);
  }

  #tag(tag: string): string {
    const name = /^<([a-z][a-z0-9]*)/i.exec(tag)?.[1]?.toLowerCase();
    if (name === undefined) return tag;
    if (RAW_TEXT.test(name) && !tag.endsWith('/>')) this.#rawText = name;
    const links = Object.hasOwn(LINKS, name) ? LINKS[name] : undefined;
    if (!links) return tag;
    let output = '';
    let copied = 0;
    for (const { key, start, end } of attributes(tag, name.length + 1)) {
      if (!links.includes(key)) continue;
      const value = tag.slice(start, end);
      const quote = value.startsWith('"') || value.startsWith("'") ? value.charAt(0) : '';
      const address = (quote === '' ? value : value.slice(1, -1)).replaceAll('&amp;', '&');
      const rewritten = this.#rewrite(address);
      if (rewritten === address) continue;
      output += `${tag.slice(copied, start)}${quote || '"'}${rewritten.replaceAll('&', '&amp;')}${quote || '"'}`;
      copied = end;
    }
    return output + tag.slice(copied);
  }

  #emit(text: string): void {
    if (text !== '') this.push(Buffer.from(text, 'latin1'));
  }
}

interface Attribute {
  /** In lower case. */
  readonly key: string;
  /** Of the value, with its quotes. */
  readonly start: number;
  readonly end: number;
}

/** Those that have a value, in the order of the tag; each character is looked at once or twice. */
function* attributes(tag: string, from: number): Iterable<Attribute> {
  const last = tag.length - 1;
  const skip = (at: number, wanted: (char: string) => boolean): number => {
    let next = at;
    while (next < last && wanted(tag.charAt(next))) next++;
    return next;
  };
  const isSpace = (char: string): boolean => char.trim() === '';
  for (let at = from; at < last; ) {
    const nameStart = skip(at, (char) => isSpace(char) || char === '/');
    const nameEnd = skip(nameStart + 1, (char) => !isSpace(char) && char !== '=' && char !== '/');
    const equals = skip(nameEnd, isSpace);
    at = equals;
    if (tag.charAt(equals) !== '=') continue;
    const start = skip(equals + 1, isSpace);
    const quote = tag.charAt(start);
    const isQuoted = quote === '"' || quote === "'";
    const end = isQuoted
      ? skip(start + 1, (char) => char !== quote) + 1
      : skip(start, (char) => !isSpace(char));
    at = Math.min(end, last);
    if (nameStart < nameEnd) yield { key: tag.slice(nameStart, nameEnd).toLowerCase(), start, end: at };
  }
}

/** How many characters belong together: text up to a tag, or one whole tag or comment. 0: more is needed. */
function markupLength(text: string): number {
  const start = text.indexOf('<');
  if (start !== 0) return start < 0 ? text.length : start;
  if (text.length === 1) return 0;
  if (!/^<[a-z/!?]/i.test(text)) return 1;
  const comment = text.startsWith('<!--') ? text.indexOf('-->') + 1 : -1;
  const end = comment < 0 ? tagEnd(text) : comment && comment + 2;
  return end === 0 && text.length > MAX_TAG_CHARS ? text.length : end;
}

/** Up to the closing tag, or as much as surely is no part of it. */
function rawLength(text: string, element: string): number {
  const end = text.toLowerCase().indexOf(`</${element}`);
  return end < 0 ? Math.max(0, text.length - element.length - 1) : end;
}

function closes(text: string, element: string): boolean {
  return text.slice(0, element.length + 2).toLowerCase() === `</${element}`;
}

/** Past the `>` of a tag; one inside quotes does not end it. 0: it goes on. */
function tagEnd(text: string): number {
  let quote = '';
  let before = '';
  for (let at = 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if (char === '>') return at + 1;
    else if ((char === '"' || char === "'") && before === '=') quote = char;
    if (char.trim() !== '') before = char;
  }
  return 0;
}
