import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { linkPair } from '../../client/tunnel/link.fake.ts';
import { ONLY_LANE } from '../../client/tunnel/node-call.ts';
import { TunnelSession } from '../../client/tunnel/session.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { remoteNode } from './remote-node.ts';

const MIB = Buffer.alloc(1024 * 1024, 0x20);

/** The document of a node that answers with these bytes, and how many of them it got rid of. */
function documentOf(bytes: Iterable<Buffer>) {
  const { links } = linkPair();
  const options = { clock: new FakeClock(), lost: (reason: string) => new Error(reason) };
  new TunnelSession({
    ...options,
    link: links[1],
    onCall(_, call) {
      const lane = call.lane(ONLY_LANE, 'out');
      call.accept();
      Readable.from(bytes).pipe(lane);
    },
  });
  return remoteNode(new TunnelSession({ ...options, link: links[0] })).document('/pods');
}

describe('a node that is not to be trusted', () => {
  it('cannot fill the memory of the server with a document', async () => {
    let sent = 0;
    function* endless() {
      for (; sent < 64; sent++) yield MIB;
    }
    await expect(documentOf(endless())).rejects.toThrow('is larger than 8388608 bytes');
    expect(sent).toBeLessThan(16);
  });

  it.each(['{"contentType":"a/b","text":{"length":4294967295}}', '{"text":"x"}', 'null', '{'])(
    'cannot pass %s for one',
    async (json) => {
      await expect(documentOf([Buffer.from(json)])).rejects.toThrow(/^the answer of the node/);
    },
  );

  it('is heard where it keeps to the form', async () => {
    const document = { contentType: 'a/b', text: 'ä' };
    expect(await documentOf([Buffer.from(JSON.stringify(document))])).toEqual(document);
  });
});
