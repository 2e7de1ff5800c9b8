import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { HtmlLinks } from './html-links.ts';
import { joinPath, rewriteUrl } from './rewrite.ts';

const page = { prefix: '/api/v1/namespaces/a/pods/p/proxy', host: 'board:6443', backendHost: '10.42.0.5:80' };
const rewrite = (address: string): string => rewriteUrl(address, page);

describe('addresses', () => {
  it('of the backend lead through the proxy, others where they led', () => {
    expect(rewrite('/x/y/?a=b#c')).toBe(`${page.prefix}/x/y/?a=b#c`);
    expect(rewrite('http://10.42.0.5:80/x')).toBe(`${page.prefix}/x`);
    expect(rewrite('https://board:6443/x')).toBe(`https://board:6443${page.prefix}/x`);
    expect(rewrite('//10.42.0.5:80/x')).toBe(`${page.prefix}/x`);
    expect(rewrite(`${page.prefix}/x`)).toBe(`${page.prefix}/x`);
    for (const other of ['https://example.org/x', 'x/y', '?a', '#top', 'mailto:me@example.org', '', '../up'])
      expect(rewrite(other)).toBe(other);
  });

  it('join without what paths do not need', () => {
    expect(joinPath('/a/b', '/c//d/./e/')).toBe('/a/b/c/d/e/');
    expect(joinPath('', '/../../etc')).toBe('/etc');
    expect(joinPath('/a', '/')).toBe('/a/');
    expect(joinPath('', '/')).toBe('/');
  });
});

describe('pages', () => {
  const through = (html: string, pieceBytes: number): Promise<string> => {
    const bytes = Buffer.from(html);
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
    return text(Readable.from(pieces).pipe(new HtmlLinks(rewrite)));
  };

  it('get their links changed and nothing else, however they arrive', async () => {
    const html = [
      '<!DOCTYPE html><HTML><!-- <a href="/no"> --><head><title><a href="/no"></title>',
      '<script src="/s.js">if (a < b) document.write("<a href=\'/no\'>");</script>',
      `<A class=x HREF='/a?b=1&amp;c=2'>grüße 1 < 2</A><img src=/i.png alt="href=/no > "><a href="http://example.org/">`,
      '<form action = "/send" title="/no"><p data="/no">',
    ].join('\n');
    const expected = html
      .replace('"/s.js"', `"${page.prefix}/s.js"`)
      .replace("'/a?b", `'${page.prefix}/a?b`)
      .replace('src=/i.png', `src="${page.prefix}/i.png"`)
      .replace('"/send"', `"${page.prefix}/send"`);
    for (const pieceBytes of [1, 3, 7, 64, 10_000]) expect(await through(html, pieceBytes)).toBe(expected);
  });

  it('may be broken, or have a tag without an end', async () => {
    expect(await through('<a href="/x', 4)).toBe('<a href="/x');
    expect(await through('<', 1)).toBe('<');
    const endless = `<a href="${'x'.repeat(200_000)}`;
    expect(await through(endless, 5000)).toBe(endless);
    const crowded = `<a ${'x'.repeat(8000)} ${'= " '.repeat(500)} href=/x${' '.repeat(6000)}>`;
    expect(await through(crowded, 5000)).toBe(crowded.replace('/x', `"${page.prefix}/x"`));
    expect(await through('<a href=/x/>', 100)).toBe(`<a href="${page.prefix}/x/">`);
    expect(await through('<a href>', 100)).toBe('<a href>');
    expect(await through('<a =b href="/x"/>', 100)).toBe(`<a =b href="${page.prefix}/x"/>`);
  });
});
