import type { NodeConnector } from '../../client/node-port.ts';
import type { Logger } from '../../lib/log.ts';
import type { HandlerContext } from '../http/handler.ts';
import type { UpgradeHandler } from '../http/listener.ts';
import type { StreamHandlers } from '../http/resource-handler.ts';

export interface Streams extends StreamHandlers {
  upgrade(context: HandlerContext): UpgradeHandler;
}

export function createStreams(_options: { connector: NodeConnector; log: Logger }): Streams {
  return {
    find: () => undefined,
    upgrade: () => (_request, socket) => socket.destroy(),
  };
}
