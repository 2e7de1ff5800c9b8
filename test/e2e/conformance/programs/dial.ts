import { createSocket } from 'node:dgram';

/** Asks `http://host:port/path` or `udp://host:port` and prints the answer; fails without one within two seconds. */
const [, , target = '', times = '1'] = process.argv;
const url = new URL(target);

async function ask(): Promise<string> {
  if (url.protocol !== 'udp:') return await (await fetch(url, { signal: AbortSignal.timeout(2000) })).text();
  const socket = createSocket('udp4');
  const answer = Promise.withResolvers<string>();
  const timer = setTimeout(() => answer.reject(new Error('no answer')), 2000);
  socket.once('message', (message) => answer.resolve(message.toString()));
  socket.once('error', answer.reject);
  socket.send('hostname', Number(url.port), url.hostname);
  try {
    return await answer.promise;
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

try {
  for (let count = 0; count < Number(times); count++) console.log(await ask());
} catch (error) {
  console.error(String(error), String((error as Error).cause ?? ''));
  process.exit(1);
}
