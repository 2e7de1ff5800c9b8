import { pipeline } from 'node:stream/promises';
import { badRequest } from '../../api/status.ts';
import type { NodeConnector } from '../../client/node-port.ts';
import { sendHead } from '../http/exchange.ts';
import type { HandlerContext } from '../http/handler.ts';
import type { UpgradeHandler } from '../http/listener.ts';
import type { ResourceCall, StreamHandlers } from '../http/resource-handler.ts';
import type { SubresourceProxy } from '../proxy/subresource.ts';
import type { Registry } from '../registry/registry.ts';
import type { Tunnels } from '../tunnel/tunnels.ts';
import { sendNodeDocument } from './node-proxy.ts';
import { knownPod, logRequest } from './pod-target.ts';
import { createUpgradeHandler } from './upgrade.ts';

/** Everything that a node's agent answers. */
export interface Streams extends StreamHandlers {
  upgrade(context: HandlerContext): UpgradeHandler;
}

const UPGRADED = new Set(['exec', 'attach', 'portforward']);

export function createStreams(options: {
  readonly tunnels: Tunnels;
  readonly registry: Registry;
  readonly proxy: SubresourceProxy;
}): Streams {
  const { tunnels, registry, proxy } = options;
  const connector: NodeConnector = tunnels;
  return {
    find(resource, group, subresource) {
      if (group === '' && resource === 'nodes' && subresource === 'proxy')
        return (call) => sendNodeDocument(call, connector);
      if (proxy.handles({ group, resource, subresource }))
        return ({ exchange, info }) => proxy.serve(exchange, info);
      if (group !== '' || resource !== 'pods') return undefined;
      if (subresource === 'log') return (call) => sendLog(call, connector, registry);
      if (UPGRADED.has(subresource))
        return async () => {
          throw badRequest('Upgrade request required');
        };
      return undefined;
    },
    upgrade: (context) => createUpgradeHandler(context, tunnels, proxy),
  };
}

async function sendLog(
  { exchange, info }: ResourceCall,
  connector: NodeConnector,
  registry: Registry,
): Promise<void> {
  const target = knownPod(registry, info);
  const request = logRequest(target, exchange.query);
  if (target.nodeName === '') {
    // On no node it has said nothing yet.
    sendHead(exchange, 204);
    exchange.response.end();
    return;
  }
  const node = await connector.connect(target.nodeName);
  const log = await node.logs(request);
  const { response, fields } = exchange;
  fields.set('content-type', 'text/plain');
  sendHead(exchange, 200);
  // A follower wants to know that it is connected before there is anything to read.
  response.flushHeaders();
  exchange.audit?.started(200);
  await pipeline(log, response).catch((error: NodeJS.ErrnoException) => {
    // A reader that has seen enough goes without a word; with HTTP/2 this comes before the answer's own end.
    if (!exchange.disconnect.happened && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
}
