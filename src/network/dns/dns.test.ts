import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Answer, decode, encode, type Packet, streamDecode, streamEncode } from 'dns-packet';
import { afterEach, describe, expect, it } from 'vitest';
import { reserve } from '../../../test/fixtures/reserve.ts';
import type { Service } from '../../api/types.gen.ts';
import { FakeClient } from '../../client/fake-client.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { createExec } from '../../lib/exec.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { startDns } from './dns.ts';
import { DnsServer } from './dns-server.ts';
import { Forwarder } from './forwarder.ts';
import { nameserverSource, parseNameservers } from './resolv-conf.ts';
import { Resolver } from './resolver.ts';
import type { ServiceView } from './service-index.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Many endpoints: an answer that does not fit into a datagram. */
const BIG = 200;
const spec = (clusterIP: string): Service => ({
  metadata: { namespace: 'a', name: 'web' },
  spec: { clusterIP },
});
const view: ServiceView = {
  synced: true,
  service: (_, name) =>
    ({
      web: spec('10.43.0.9'),
      big: spec('None'),
      alias: { metadata: {}, spec: { type: 'ExternalName', externalName: 'example.com' } },
    })[name],
  slices: () => [
    {
      metadata: {},
      addressType: 'IPv4',
      endpoints: Array.from({ length: BIG }, (_, index) => ({ addresses: [`10.42.0.${index + 1}`] })),
    },
  ],
  hasNamespace: () => true,
  byClusterIP: () => undefined,
  byEndpointIP: () => [],
};

/** A name server on UDP and TCP that answers as told and counts. */
async function startUpstream(answer: (query: Packet, tcp: boolean) => Partial<Packet> | undefined) {
  const seen: string[] = [];
  const reply = (query: Packet, tcp: boolean): Packet | undefined => {
    seen.push(`${tcp ? 'tcp' : 'udp'} ${query.questions?.[0]?.name} ${query.questions?.[0]?.type}`);
    const parts = answer(query, tcp);
    return parts && { type: 'response', id: query.id ?? 0, questions: query.questions ?? [], ...parts };
  };
  // TCP first: its ports are the scarce ones, each outgoing connection has one.
  const tcp = createServer((socket) => {
    socket.on('data', (bytes) => {
      const packet = reply(streamDecode(bytes as Buffer), true);
      if (packet) socket.end(streamEncode(packet));
    });
  }).listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket('udp4');
  udp.on('message', (bytes, from) => {
    const packet = reply(decode(bytes), false);
    if (packet) udp.send(encode(packet), from.port, from.address);
  });
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  closing.push(() => {
    udp.close();
    tcp.close();
  });
  return { port, seen };
}

async function startServer(forwarder: Pick<Forwarder, 'ask'>, seenView = view): Promise<number> {
  const resolver = new Resolver({
    view: seenView,
    clusterDomain: 'cluster.local',
    forwarder,
    random: () => 0,
  });
  const server = new DnsServer({
    address: '127.0.0.1',
    port: 0,
    resolve: (query) => resolver.resolve(query),
  });
  await server.listen();
  closing.push(() => server.close());
  return server.port;
}

const question = (name: string, extra: Partial<Packet> = {}): Packet => ({
  type: 'query',
  id: 4711,
  flags: 0x0100,
  questions: [{ type: 'A', name, class: 'IN' }],
  ...extra,
});

async function sendUdp(port: number, bytes: Uint8Array): Promise<Buffer> {
  const socket: UdpSocket = createSocket('udp4');
  closing.push(() => socket.close());
  socket.send(bytes, port, '127.0.0.1');
  const [answer] = (await once(socket, 'message')) as [Buffer];
  return answer;
}
const askUdp = async (port: number, name: string, extra?: Partial<Packet>): Promise<Packet> =>
  decode(await sendUdp(port, encode(question(name, extra))));
const addresses = ({ answers = [] }: Packet): string[] =>
  answers.map((answer) => String((answer as { data?: unknown }).data));
const rcode = ({ flags = 0 }: Packet): number => flags & 0x0f;

const nobody: Pick<Forwarder, 'ask'> = { ask: async () => ({ rcode: 2 }) };
const record = (name: string, data: string, ttl = 60): Answer => ({ type: 'A', name, ttl, data });

describe('resolver over the network', () => {
  it('answers with authority, in the case the client used', async () => {
    const port = await startServer(nobody);
    const answer = await askUdp(port, 'WEB.a.svc.Cluster.Local');
    expect(answer.id).toBe(4711);
    expect(answer.questions?.[0]?.name).toBe('WEB.a.svc.Cluster.Local');
    expect(answer.answers).toEqual([
      expect.objectContaining({ name: 'WEB.a.svc.Cluster.Local', ttl: 5, data: '10.43.0.9' }),
    ]);
    expect((answer.flags ?? 0) & 0x0480).toBe(0x0480);
  });

  it('says what does not exist with the SOA that lets it be remembered', async () => {
    const port = await startServer(nobody);
    const answer = await askUdp(port, 'nothing.cluster.local');
    expect(rcode(answer)).toBe(3);
    expect(answer.authorities?.[0]).toMatchObject({ type: 'SOA', name: 'cluster.local', ttl: 5 });
  });

  it('fails rather than denies while it does not know the Services yet', async () => {
    const port = await startServer(nobody, { ...view, synced: false });
    expect(rcode(await askUdp(port, 'web.a.svc.cluster.local'))).toBe(2);
  });

  it('marks an answer that does not fit as truncated and gives all of it over TCP', async () => {
    const port = await startServer(nobody);
    const cut = await askUdp(port, 'big.a.svc.cluster.local');
    expect((cut.flags ?? 0) & 0x0200).toBe(0x0200);
    expect(cut.answers).toEqual([]);
    const socket = connect(port, '127.0.0.1');
    closing.push(() => void socket.destroy());
    // In two pieces, and two questions on one connection.
    const bytes = streamEncode(question('big.a.svc.cluster.local'));
    socket.write(bytes.subarray(0, 5));
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(Buffer.concat([bytes.subarray(5), streamEncode(question('web.a.svc.cluster.local'))]));
    let received = Buffer.alloc(0);
    const packets: Packet[] = [];
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        packets.push(decode(received.subarray(2, 2 + received.readUInt16BE(0))));
        received = received.subarray(2 + received.readUInt16BE(0));
      }
      if (packets.length === 2) break;
    }
    expect(packets[0]?.answers).toHaveLength(BIG);
    expect(packets[1] && addresses(packets[1])).toEqual(['10.43.0.9']);
  });

  it('uses the size that EDNS offers', async () => {
    const port = await startServer(nobody);
    const opt = { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] } as unknown as Answer;
    const answer = await askUdp(port, 'big.a.svc.cluster.local', { additionals: [opt] });
    expect(answer.additionals?.[0]).toMatchObject({ type: 'OPT', udpPayloadSize: 1232 });
    expect((answer.flags ?? 0) & 0x0200).toBe(0x0200);
  });

  it('refuses malformed questions and stays silent to answers', async () => {
    const port = await startServer(nobody);
    const broken = Buffer.concat([encode(question('a.b')).subarray(0, 14), Buffer.from([0xff])]);
    expect((await sendUdp(port, broken)).readUInt16BE(2) & 0x0f).toBe(1);
    const status = encode(question('a.b', { flags: 2 << 11 }));
    expect((await sendUdp(port, status)).readUInt16BE(2) & 0x0f).toBe(4);
    const socket = createSocket('udp4');
    closing.push(() => socket.close());
    let heard = 0;
    socket.on('message', () => heard++);
    socket.send(encode({ ...question('a.b'), type: 'response' }), port, '127.0.0.1');
    await askUdp(port, 'web.a.svc.cluster.local');
    expect(heard).toBe(0);
  });
});

describe('forwarding', () => {
  const forward = (port: number, clock: Clock = systemClock, servers = ['127.0.0.1']): Forwarder =>
    new Forwarder({ clock, upstreams: () => servers, port });

  it('asks the name servers for the rest and follows an ExternalName there', async () => {
    const upstream = await startUpstream((query) => ({
      answers: [record(query.questions?.[0]?.name ?? '', '192.0.2.7')],
    }));
    const port = await startServer(forward(upstream.port));
    expect(addresses(await askUdp(port, 'www.example.com'))).toEqual(['192.0.2.7']);
    const aliased = await askUdp(port, 'alias.a.svc.cluster.local');
    expect(aliased.answers?.map(({ type, name }) => `${type} ${name}`)).toEqual([
      'CNAME alias.a.svc.cluster.local',
      'A example.com',
    ]);
  });

  it('remembers an answer for as long as it may, counting down', async () => {
    const clock = new FakeClock();
    const upstream = await startUpstream((query) => ({
      answers: [record(query.questions?.[0]?.name ?? '', '192.0.2.7', 20)],
    }));
    const port = await startServer(forward(upstream.port, clock));
    await askUdp(port, 'www.example.com');
    await clock.advance(5000);
    expect((await askUdp(port, 'www.example.com')).answers?.[0]).toMatchObject({ ttl: 15 });
    expect(upstream.seen).toHaveLength(1);
    await clock.advance(15_000);
    await askUdp(port, 'www.example.com');
    expect(upstream.seen).toHaveLength(2);
  });

  it('asks over TCP when the answer was cut', async () => {
    const upstream = await startUpstream((query, tcp) =>
      tcp ? { answers: [record(query.questions?.[0]?.name ?? '', '192.0.2.8')] } : { flags: 0x0200 },
    );
    const port = await startServer(forward(upstream.port));
    expect(addresses(await askUdp(port, 'large.example.com'))).toEqual(['192.0.2.8']);
    expect(upstream.seen).toEqual(['udp large.example.com A', 'tcp large.example.com A']);
  });

  it('turns to the next server, asks a question once at a time, and gives up in the end', async () => {
    const clock = new FakeClock();
    let answering = false;
    const upstream = await startUpstream((query) =>
      answering ? { answers: [record(query.questions?.[0]?.name ?? '', '192.0.2.9')] } : undefined,
    );
    const forwarder = forward(upstream.port, clock);
    const port = await startServer(forwarder);
    const both = Promise.all([askUdp(port, 'slow.example.com'), askUdp(port, 'slow.example.com')]);
    const until = async (count: number): Promise<void> => {
      while (upstream.seen.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await until(1);
    answering = true;
    await clock.advance(2000);
    expect((await both).map(addresses)).toEqual([['192.0.2.9'], ['192.0.2.9']]);
    expect(upstream.seen).toHaveLength(2);
    answering = false;
    const lost = askUdp(port, 'lost.example.com');
    for (let tries = 3; tries <= 5; tries++) {
      await until(tries);
      await clock.advance(2000);
    }
    expect(rcode(await lost)).toBe(2);
  });

  it('fails at once without any name server', async () => {
    const port = await startServer(forward(9, systemClock, []));
    expect(rcode(await askUdp(port, 'example.com'))).toBe(2);
  });
});

describe('resolv.conf', () => {
  it('gives at most three servers', () => {
    const text =
      '# x\nnameserver 192.0.2.1\nsearch lan\n nameserver fe80::1%eth0\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n';
    expect(parseNameservers(text)).toEqual(['192.0.2.1', 'fe80::1', '192.0.2.3']);
  });

  it('is read again when it changes, without ourselves', () => {
    const dir = mkdtempSync(join(tmpdir(), 'kedge-resolv-'));
    closing.push(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'resolv.conf');
    const servers = nameserverSource(path, ['10.43.0.10']);
    expect(servers()).toEqual([]);
    writeFileSync(path, 'nameserver 10.43.0.10\nnameserver 192.0.2.5\n');
    expect(servers()).toEqual(['192.0.2.5']);
  });
});

describe('startDns', () => {
  it('takes its address on the loopback interface and gives it back', async () => {
    const clock = systemClock;
    const exec = createExec();
    const informers = createInformerFactory({ client: new FakeClient(clock), clock, log: silentLogger });
    const { loopback: address, port, release } = await reserve();
    closing.push(release);
    const dns = startDns({
      ...{ informers, exec, clock, log: silentLogger },
      addresses: [address],
      port,
      clusterDomain: 'cluster.local',
    });
    await informers.start();
    await dns.ready;
    const socket = createSocket('udp4');
    closing.push(() => socket.close());
    socket.send(
      encode(
        question('dns-version.cluster.local', {
          questions: [{ type: 'TXT', name: 'dns-version.cluster.local' }],
        }),
      ),
      port,
      address,
    );
    const [bytes] = (await once(socket, 'message')) as [Buffer];
    expect(String(decode(bytes).answers?.map((answer) => (answer as { data?: unknown }).data))).toBe('1.1.0');
    await dns.stop({ removeAddresses: true });
    await informers.stop();
    expect((await exec.run(['ip', 'address', 'show', 'dev', 'lo'])).stdout).not.toContain(address);
  });
});
