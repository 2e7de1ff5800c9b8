import type { ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { Duplex, type Readable, type Writable } from 'node:stream';
import type { Exec } from '../../lib/exec.ts';

/**
 * Copies between standard input and output and a loopback port, with half-closed connections kept as such. Perl,
 * because its base package is essential on Debian, starts in a few milliseconds and can shut down one direction.
 * The first byte on standard output says whether the connection came about: `+`, or `-` and the reason.
 */
const RELAY = `use strict; use Socket; use IO::Select; use Errno;
my $port = shift; my $s; my $why = "";
for my $try ([AF_INET, pack_sockaddr_in($port, INADDR_LOOPBACK)], [AF_INET6, Socket::pack_sockaddr_in6($port, Socket::IN6ADDR_LOOPBACK)]) {
  socket(my $c, $try->[0], SOCK_STREAM, 0) or next;
  if (connect($c, $try->[1])) { $s = $c; last } $why ||= "$!";
}
$| = 1;
if (!$s) { print "-$why"; exit 1 }
sub put { my ($to, $data) = @_; my $at = 0;
  while ($at < length $data) { my $n = syswrite($to, $data, length($data) - $at, $at); defined $n or exit 0; $at += $n } }
put(\\*STDOUT, "+");
$SIG{PIPE} = "IGNORE";
my $r = IO::Select->new(\\*STDIN, $s);
while ($r->count) { for my $from ($r->can_read) {
  my $n = sysread($from, my $data, 65536);
  if (!$n) { $r->remove($from); if ($from == $s) { exit 0 } shutdown($s, 1); next }
  put($from == $s ? \\*STDOUT : $s, $data);
} }`;

/** Connects to a loopback port of the host's network namespace, or of that which `netns` pins. */
export function openPort(exec: Exec, netns: string | undefined, port: number): Promise<Duplex> {
  return netns === undefined ? openHostPort(port) : openPortInside(exec, netns, port);
}

function openHostPort(port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: 'localhost', allowHalfOpen: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

async function openPortInside(exec: Exec, netns: string, port: number): Promise<Duplex> {
  const child = exec.start(['nsenter', `--net=${netns}`, 'perl', '-e', RELAY, String(port)], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error('no pipes to the port relay');
  stdin.on('error', () => {});
  const first = await firstBytes(child);
  if (first[0] !== '+'.charCodeAt(0)) {
    const why = first.subarray(1).toString('utf8') || 'the relay could not be started';
    throw new Error(`failed to connect to localhost:${port} inside namespace: ${why}`);
  }
  if (first.length > 1) stdout.unshift(first.subarray(1));
  return new Relayed(child, stdin, stdout);
}

/** The relay's other end. It may go while somebody still writes: what was read from the port is delivered all the same. */
class Relayed extends Duplex {
  readonly #child: ChildProcess;
  readonly #stdin: Writable;
  readonly #stdout: Readable;

  constructor(child: ChildProcess, stdin: Writable, stdout: Readable) {
    super({ allowHalfOpen: true });
    this.#child = child;
    this.#stdin = stdin;
    this.#stdout = stdout;
    stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) stdout.pause();
    });
    stdout.once('close', () => this.push(null));
  }

  override _read(): void {
    this.#stdout.resume();
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#stdin.write(chunk, () => done());
  }
  override _final(done: (error?: Error | null) => void): void {
    if (this.#stdin.destroyed) done();
    else this.#stdin.end(() => done());
  }
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#child.kill('SIGKILL');
    done(error);
  }
}

function firstBytes(child: ChildProcess): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { stdout } = child;
    child.once('error', reject);
    stdout?.once('end', () => resolve(Buffer.alloc(0)));
    stdout?.once('readable', () => {
      const chunk = stdout.read() as Buffer | null;
      if (chunk) resolve(chunk);
    });
  });
}
