import type { Duplex, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiError } from '../../src/api/status.ts';
import type { ExecRequest, NodeApi } from '../../src/client/node-port.ts';
import type { Seen } from '../../src/server/stream/echo-node.fake.ts';

export interface NodeHarness {
  readonly node: NodeApi;
  /** What has reached the `echoNode` behind it. */
  readonly seen: Required<Seen>;
  close(): Promise<void>;
}

const POD = { namespace: 'default', name: 'p', uid: 'u' };
const exec = (command: readonly string[], more: Partial<ExecRequest> = {}): ExecRequest => ({
  ...{ pod: POD, container: 'c', command, tty: false, stdin: false, stdout: true, stderr: true },
  ...more,
});

const MANY_BYTES = 1_000_000;

/** What every way to a node must do alike. */
export function describeNodeApi(name: string, open: () => Promise<NodeHarness>): void {
  describe(`node API: ${name}`, () => {
    let harness: NodeHarness;
    let node: NodeApi;
    beforeAll(async () => {
      harness = await open();
      node = harness.node;
    });
    afterAll(() => harness.close());

    /** Looks until something has reached the other side. */
    const eventually = async (check: () => boolean): Promise<void> => {
      for (let turns = 0; !check() && turns < 10_000; turns++)
        await new Promise((resolve) => setImmediate(resolve));
      expect(check()).toBe(true);
    };
    const readSome = async (source: Readable | Duplex, wanted: string): Promise<void> => {
      let got = '';
      for await (const chunk of source.iterator({ destroyOnReturn: false })) {
        got += (chunk as Buffer).toString('utf8');
        if (got.length >= wanted.length) break;
      }
      expect(got).toBe(wanted);
    };

    it('gives a log, and follows one until its reader goes', async () => {
      expect(await text(await node.logs({ pod: POD, container: 'c', tailLines: 3 }))).toBe('log of c 3\n');
      const followed = await node.logs({ pod: POD, container: 'c', follow: true });
      await readSome(followed, 'log of c \n');
      followed.destroy();
      await eventually(() => harness.seen.ended.includes('log'));
    });

    it('runs a command with its output, its errors and its exit code', async () => {
      const session = await node.exec(exec(['exit', '7']));
      expect(session.stdin).toBeUndefined();
      expect(await Promise.all([text(session.stdout!), text(session.stderr!)])).toEqual(['', 'failing\n']);
      expect(await session.exit).toBe(7);
    });

    it('has one stream of output with a terminal, whose size can change', async () => {
      const session = await node.exec(exec(['cat'], { tty: true, stdin: true }));
      expect(session.stderr).toBeUndefined();
      session.resize({ columns: 80, rows: 24 });
      session.stdin?.write('typed');
      await readSome(session.stdout!, 'typed');
      session.stdin?.end();
      expect(await text(session.stdout!)).toBe('');
      expect(await session.exit).toBe(0);
      expect(harness.seen.sizes).toContain('80x24');
    });

    it('carries much input and output, whoever is slower', async () => {
      const session = await node.exec(exec(['cat'], { stdin: true }));
      session.stdin?.end(Buffer.alloc(MANY_BYTES, 'y'));
      expect(await text(session.stdout!)).toBe('y'.repeat(MANY_BYTES));
      expect(await session.exit).toBe(0);
      const flood = await node.exec(exec(['flood', String(MANY_BYTES)]));
      await new Promise((later) => setTimeout(later, 20));
      expect((await text(flood.stdout!)).length).toBe(MANY_BYTES);
      expect(await flood.exit).toBe(0);
    });

    it('does not let one stream that nobody reads hold up another', async () => {
      const stalled = await node.exec(exec(['flood', String(MANY_BYTES)]));
      const other = await node.exec(exec(['hello']));
      expect(await text(other.stdout!)).toBe('hello\n');
      stalled.close();
    });

    it('kills what is closed', async () => {
      const session = await node.exec(exec(['hang']));
      await readSome(session.stdout!, 'hanging\n');
      session.close();
      await eventually(() => harness.seen.ended.includes('hang'));
    });

    it('attaches', async () => {
      const session = await node.attach(exec(['attached']));
      expect(await text(session.stdout!)).toBe('attached\n');
    });

    it('refuses with the Status of the node, or with its words', async () => {
      const refused = node.exec(exec(['missing']));
      await expect(refused).rejects.toThrow(ApiError);
      await expect(refused).rejects.toMatchObject({
        message: 'container c is not valid for pod p',
        code: 400,
        reason: 'BadRequest',
      });
      await expect(node.portForward(POD, 1)).rejects.toThrow(
        /^failed to connect to localhost:1 inside namespace: Connection refused$/,
      );
      await expect(node.document('/nothing')).rejects.toMatchObject({ code: 404 });
    });

    for (const [way, connect] of [
      ['portForward', () => node.portForward(POD, 80)],
      ['connectPod', () => node.connectPod(POD, 80)],
    ] as const) {
      it(`${way} connects both ways, and an end of one way leaves the other open`, async () => {
        const stream = await connect();
        stream.write('hello ');
        await readSome(stream, 'HELLO ');
        stream.end('all');
        expect(await text(stream)).toBe('ALL');
      });
    }

    it('gives documents', async () => {
      expect(await node.statsSummary()).toEqual({ node: { nodeName: 'echo' } });
      expect(await node.document('/healthz')).toEqual({ contentType: 'text/plain', text: 'ok' });
    });
  });
}
