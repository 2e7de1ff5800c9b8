import { serveNode } from '../../src/agent/tunnel/serve-node.ts';
import { dialServer, startTunnel } from '../../src/agent/tunnel/tunnel.ts';
import type { NodeApi } from '../../src/client/node-port.ts';
import { linkPair } from '../../src/client/tunnel/link.fake.ts';
import { TunnelSession } from '../../src/client/tunnel/session.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { testTls } from '../../src/server/http/test-tls.fake.ts';
import { echoNode } from '../../src/server/stream/echo-node.fake.ts';
import { startTestServer } from '../../src/server/test-server.fake.ts';
import { remoteNode } from '../../src/server/tunnel/remote-node.ts';
import { describeNodeApi } from './node-api.ts';

const nothingSeen = () => ({ sizes: [], requests: [], ended: [] });

describeNodeApi('in process', async () => {
  const seen = nothingSeen();
  return { node: echoNode(seen), seen, close: async () => {} };
});

describeNodeApi('through a tunnel in memory', async () => {
  const seen = nothingSeen();
  const { links } = linkPair();
  const lost = (reason: string) => new Error(reason);
  const clock = systemClock;
  const server = new TunnelSession({ link: links[0], clock, lost });
  new TunnelSession({ link: links[1], clock, lost, onCall: serveNode(echoNode(seen)) });
  return { node: remoteNode(server), seen, close: async () => server.close('done') };
});

describeNodeApi('through a tunnel over TLS', async () => {
  const seen = nothingSeen();
  const { server } = await startTestServer();
  const tls = testTls();
  const { port } = await server.listen({ host: '127.0.0.1', port: 0, tls });
  const { cert, key } = tls.clientCertificate('system:node:echo', 'system:nodes');
  const address = { server: `https://127.0.0.1:${port}`, ca: tls.ca, cert, key };
  const tunnel = startTunnel({
    api: echoNode(seen),
    dial: (signal) => dialServer(address, signal),
    clock: systemClock,
    log: silentLogger,
  });
  let node: NodeApi | undefined;
  while (node === undefined) {
    node = await server.nodes.connect('echo').catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return {
    node,
    seen,
    async close() {
      await tunnel.stop();
      await server.close();
    },
  };
});
