import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * `dns-query <udp|tcp|libc> <type> <name>` asks the nameserver of /etc/resolv.conf, with its search list, and prints the data
 * of all answers as JSON, one array for the first name that has any. `libc` asks as programs do, /etc/hosts included.
 */
const TYPES: Readonly<Record<string, number>> = { A: 1, CNAME: 5, PTR: 12, SRV: 33 };
const [, , transport = 'udp', type = 'A', name = ''] = process.argv;

const config = readFileSync('/etc/resolv.conf', 'utf8').split('\n');
const field = (key: string): string[] =>
  config.flatMap((line) => (line.startsWith(`${key} `) ? line.trim().split(/\s+/).slice(1) : []));
const [server = ''] = field('nameserver');
const ndots = Number(/ndots:(\d+)/.exec(field('options').join(' '))?.[1] ?? 1);

function candidates(): string[] {
  if (name.endsWith('.')) return [name];
  const searched = field('search').map((domain) => `${name}.${domain}`);
  return name.split('.').length - 1 >= ndots ? [name, ...searched] : [...searched, name];
}

function question(of: string): Buffer {
  const labels = of.split('.').filter((label) => label !== '');
  const header = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const encoded = labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([header, ...encoded, Buffer.from([0, 0, TYPES[type] ?? 1, 0, 1])]);
}

/** A name with its pointers followed, and where what comes after it begins. */
function nameAt(message: Buffer, at: number): [name: string, next: number] {
  const labels: string[] = [];
  let next = -1;
  for (let length = message[at] ?? 0; length !== 0; length = message[at] ?? 0) {
    if (length >= 0xc0) {
      if (next < 0) next = at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
    } else {
      labels.push(message.toString('latin1', at + 1, at + 1 + length));
      at += length + 1;
    }
  }
  return [labels.join('.'), next < 0 ? at + 1 : next];
}

function answersOf(message: Buffer): string[] {
  const answers: string[] = [];
  let at = nameAt(message, 12)[1] + 4;
  for (let left = message.readUInt16BE(6); left > 0; left--) {
    at = nameAt(message, at)[1];
    const kind = message.readUInt16BE(at);
    const length = message.readUInt16BE(at + 8);
    const data = at + 10;
    if (kind === TYPES['A']) answers.push([...message.subarray(data, data + 4)].join('.'));
    else if (kind === TYPES['SRV'])
      answers.push(`${message.readUInt16BE(data + 4)} ${nameAt(message, data + 6)[0]}`);
    else if (kind === TYPES['CNAME'] || kind === TYPES['PTR']) answers.push(nameAt(message, data)[0]);
    at = data + length;
  }
  return answers;
}

function ask(query: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('no answer')), 5000).unref();
    if (transport === 'tcp') {
      const socket = connect(53, server);
      let got: Buffer = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        got = Buffer.concat([got, chunk]);
        if (got.length < 2 || got.length < got.readUInt16BE(0) + 2) return;
        socket.destroy();
        resolve(got.subarray(2));
      });
      socket.on('error', reject);
      socket.write(Buffer.concat([Buffer.from([query.length >> 8, query.length & 255]), query]));
    } else {
      const socket = createSocket('udp4');
      socket.once('message', (message) => {
        socket.close();
        resolve(message);
      });
      socket.send(query, 53, server);
    }
  });
}

async function find(): Promise<string[]> {
  if (transport === 'libc')
    return (await lookup(name, { all: true, family: 4 })).map(({ address }) => address);
  for (const candidate of candidates()) {
    const answers = answersOf(await ask(question(candidate)));
    if (answers.length > 0) return answers;
  }
  return [];
}

console.log(JSON.stringify(await find()));
