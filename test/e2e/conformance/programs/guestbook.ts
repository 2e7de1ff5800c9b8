import { createServer, type ServerResponse } from 'node:http';

/**
 * A guestbook of three tiers: `guestbook primary` keeps entries, `guestbook replica <primary>` reads them from there,
 * `guestbook frontend <primary> <replica>` writes to the one and reads from the other.
 */
const [, , role = '', primary = '', replica = ''] = process.argv;
const entries: string[] = [];

async function ask(host: string, path: string): Promise<string> {
  const answer = await fetch(`http://${host}${path}`, { signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(`${host}${path}: ${answer.status}`);
  return await answer.text();
}

async function answer(url: URL, response: ServerResponse): Promise<void> {
  const value = url.searchParams.get('value') ?? '';
  if (url.pathname === '/set') {
    if (role === 'primary') entries.push(value);
    else await ask(primary, `/set?value=${encodeURIComponent(value)}`);
    response.end(JSON.stringify({ message: 'Updated' }));
  } else if (url.pathname === '/get') {
    if (role === 'primary') response.end(JSON.stringify({ data: entries.join(',') }));
    else response.end(await ask(role === 'frontend' ? replica : primary, '/get'));
  } else response.end(role);
}

createServer((request, response) => {
  answer(new URL(request.url ?? '/', 'http://guestbook'), response).catch((error) => {
    response.statusCode = 502;
    response.end(String(error));
  });
}).listen(Number(process.env['PORT'] ?? 80));
