import { Board, IMAGE, Lan } from '../e2e/board.ts';
import { type Bench, load, pause, podNamed } from './measure.ts';
import { bytesWrittenBy, cpuSecondsOf, memoryOf } from './process.ts';
import { median, type Row } from './table.ts';

const AGENTS = [3, 4, 5];

/** A server without pods and three boards that join it: how long that takes, and what they cost while nothing happens. */
export async function joinRows(bench: Bench): Promise<Row[]> {
  const { binary, progress } = bench;
  const lan = Lan.create();
  const server = Board.create({ binary, lan, host: 2, agent: false });
  const agents = AGENTS.map((host) => Board.create({ binary, lan, host, server }));
  try {
    progress('three boards join');
    await server.start();
    await pause(3000);
    const rows: Row[] = [
      {
        what: 'agent with a token, start → node Ready (certificates, containerd)',
        unit: 'ms',
        measured: median(await joinTimes(server, agents)),
      },
    ];
    const [first] = agents as [Board, ...Board[]];
    await pause(30_000);
    rows.push(
      {
        what: 'agent alone idle: anonymous',
        budget: 35,
        unit: 'MB',
        measured: memoryOf(first.pid).anonymousMB,
      },
      { what: 'agent alone idle: PSS', unit: 'MB', measured: memoryOf(first.pid).pssMB },
    );
    progress('ten pods on one of them');
    const pods = Array.from({ length: 10 }, (_, n) => podNamed(`idle-${n}`, IMAGE, first.nodeName));
    await server.apply(pods.join('\n---\n'));
    await server.ok(['wait', '--for=condition=Ready', 'pod', '--all', '--timeout=90s']);
    await pause(30_000);
    rows.push({
      what: 'agent with 10 pods: anonymous',
      unit: 'MB',
      measured: memoryOf(first.pid).anonymousMB,
    });
    return [...rows, ...(await idleRows({ server, agents }, bench))];
  } finally {
    for (const board of [...agents, server]) await board.remove();
    lan.remove();
  }
}

/** One after the other, so that each has the machine to itself. */
async function joinTimes(server: Board, agents: readonly Board[]): Promise<number[]> {
  const times: number[] = [];
  for (const agent of agents) {
    const waiting = load<{ nodeReadyAt: number }>(server, 'ready', agent.nodeName);
    await pause(2000);
    const startedAt = Date.now();
    agent.spawn();
    times.push((await waiting).nodeReadyAt - startedAt);
    await pause(2000);
  }
  return times;
}

async function idleRows(
  { server, agents }: { server: Board; agents: readonly Board[] },
  { idleMinutes, progress }: Bench,
): Promise<Row[]> {
  progress(`server and three agents idle for ${idleMinutes} minutes`);
  const [first] = agents as [Board, ...Board[]];
  const disk = (): number =>
    [server, ...agents].reduce((sum, { pid }) => sum + bytesWrittenBy(pid), server.snapshotBytes * -1);
  const before = { disk: disk(), link: bytesOnLink(first), cpu: cpuSecondsOf(first.pid) };
  await pause(idleMinutes * 60_000);
  const perDay = ((disk() - before.disk) * 24 * 60) / idleMinutes + server.snapshotBytes;
  return [
    {
      what: `idle bytes written per day, server + 3 agents (from ${idleMinutes} min, and one snapshot a day)`,
      budget: 20,
      unit: 'MB',
      measured: perDay / 1e6,
    },
    {
      what: 'agent with 10 pods, idle: bytes a minute on its link, both ways',
      unit: 'KB',
      measured: (bytesOnLink(first) - before.link) / idleMinutes / 1e3,
    },
    {
      what: 'agent with 10 pods, idle: CPU of one core',
      unit: '%',
      measured: ((cpuSecondsOf(first.pid) - before.cpu) / (idleMinutes * 60)) * 100,
    },
  ];
}

/** What went through the board's interface since it is there, Ethernet headers included. */
function bytesOnLink(board: Board): number {
  const [link] = JSON.parse(board.enter(['ip', '-json', '-statistics', 'link', 'show', 'eth0'])) as [
    { stats64: { rx: { bytes: number }; tx: { bytes: number } } },
  ];
  return link.stats64.rx.bytes + link.stats64.tx.bytes;
}
