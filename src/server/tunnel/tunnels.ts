import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { apiError, badRequest } from '../../api/status.ts';
import type { NodeApi, NodeConnector } from '../../client/node-port.ts';
import { type Link, webSocketLink } from '../../client/tunnel/link.ts';
import { TUNNEL_PATH, TUNNEL_PROTOCOL } from '../../client/tunnel/node-call.ts';
import { TunnelSession } from '../../client/tunnel/session.ts';
import type { Clock } from '../../lib/clock.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { Logger } from '../../lib/log.ts';
import { nodeNameOf } from '../authz/node-authorizer.ts';
import type { UserInfo } from '../registry/definition.ts';
import { remoteNode } from './remote-node.ts';

export interface TunnelsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Nodes that run in this process; asked where no tunnel is. */
  readonly local: NodeConnector;
}

interface Connected {
  readonly session: TunnelSession;
  readonly api: NodeApi;
}

/** Connections that agents have opened, one for each node: the newest. */
export class Tunnels implements NodeConnector {
  readonly #options: TunnelsOptions;
  readonly #nodes = new Map<string, Connected>();
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: LIMITS.tunnel.messageBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => offered.has(TUNNEL_PROTOCOL) && TUNNEL_PROTOCOL,
  });

  constructor(options: TunnelsOptions) {
    this.#options = options;
  }

  async connect(nodeName: string): Promise<NodeApi> {
    const connected = this.#nodes.get(nodeName);
    return connected ? connected.api : this.#options.local.connect(nodeName);
  }

  /** Takes a connection over for the node that the sender is. Throws 403 for anybody else, 400 for another request. */
  upgrade(sender: UserInfo, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const node = nodeNameOf(sender);
    if (node === undefined)
      throw apiError(
        'Forbidden',
        `forbidden: User "${sender.name}" cannot connect path "${TUNNEL_PATH}": only agents of nodes connect here`,
        { details: {} },
      );
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(/ *, */);
    if ((request.headers.upgrade ?? '').toLowerCase() !== 'websocket' || !offered.includes(TUNNEL_PROTOCOL))
      throw badRequest(`${TUNNEL_PATH} is for agents: WebSocket with the protocol ${TUNNEL_PROTOCOL}`);
    keepAlive(socket);
    this.#webSockets.handleUpgrade(request, socket, head, (web) => this.add(node, webSocketLink(web)));
  }

  /** An agent opens a second connection only when it has lost the first, whatever that looks like from here. */
  add(node: string, link: Link): void {
    const { clock, log } = this.#options;
    const before = this.#nodes.get(node);
    const session = new TunnelSession({
      link,
      clock,
      lost: (reason) => unreachable(node, `the connection to its agent was lost: ${reason}`),
      onClosed: (reason) => {
        if (this.#nodes.get(node)?.session !== session) return;
        this.#nodes.delete(node);
        log.info('agent disconnected', { node, reason });
      },
    });
    this.#nodes.set(node, { session, api: remoteNode(session) });
    before?.session.close('the agent has connected anew');
    log.info('agent connected', { node });
  }

  close(): void {
    for (const { session } of [...this.#nodes.values()]) session.close('the server stops');
    this.#nodes.clear();
    this.#webSockets.close();
  }
}

function unreachable(node: string, why: string) {
  return apiError('ServiceUnavailable', `node ${JSON.stringify(node)} cannot be reached: ${why}`);
}

function keepAlive(socket: Duplex): void {
  (socket as Partial<import('node:net').Socket>).setKeepAlive?.(true, LIMITS.tunnel.keepAliveMs);
}
