/**
 * Replaces `$(NAME)` by its value, as upstream's third_party/forked/golang/expansion: `$$` is a literal dollar, an
 * unknown name stays as written, an unclosed `$(` too.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  let out = '';
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf('$', at);
    if (dollar < 0 || dollar === text.length - 1) return out + text.slice(at);
    out += text.slice(at, dollar);
    const following = text[dollar + 1];
    if (following === '$') {
      out += '$';
      at = dollar + 2;
    } else if (following === '(') {
      const close = text.indexOf(')', dollar + 2);
      if (close < 0) {
        out += '$(';
        at = dollar + 2;
      } else {
        const name = text.slice(dollar + 2, close);
        out += lookup(name) ?? `$(${name})`;
        at = close + 1;
      }
    } else {
      out += `$${following}`;
      at = dollar + 2;
    }
  }
  return out;
}
