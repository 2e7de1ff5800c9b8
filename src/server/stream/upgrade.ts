import { randomUUID } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { ApiError, apiError, badRequest } from '../../api/status.ts';
import type { NodeConnector } from '../../client/node-port.ts';
import { TUNNEL_PATH } from '../../client/tunnel/node-call.ts';
import { LIMITS } from '../../lib/limits.ts';
import { errorText } from '../../lib/log.ts';
import type { AuditRecord } from '../audit/record.ts';
import { factsOf } from '../audit/request-facts.ts';
import { authenticate } from '../http/authenticate.ts';
import { authorizeRequest, authorizeVerb } from '../http/authorize.ts';
import { statusOf } from '../http/exchange.ts';
import type { HandlerContext } from '../http/handler.ts';
import { impersonate } from '../http/impersonate.ts';
import type { UpgradeHandler } from '../http/listener.ts';
import { parseRequest, type RequestInfo, type ResourceRequest } from '../http/request-info.ts';
import type { SubresourceProxy } from '../proxy/subresource.ts';
import { admitConnect, type ConnectOptions } from '../registry/connect.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { Tunnels } from '../tunnel/tunnels.ts';
import { execOptions, execRequest, logRequest, podTarget, portForwardOptions } from './pod-target.ts';
import { PORT_FORWARD_PROTOCOL, PortForwarder } from './port-forward.ts';
import { SpdySession, type SpdyStream } from './spdy.ts';
import { refuseSpdyExec, SPDY_EXEC_PROTOCOLS, SpdyExecStreams, serveSpdyExec } from './spdy-exec.ts';
import { EXEC_PROTOCOLS, serveExec } from './web-socket-exec.ts';
import { READER_PROTOCOLS, serveReader } from './web-socket-reader.ts';

/** SPDY for port-forward inside a WebSocket (KEP-4006). */
const TUNNEL_PROTOCOL = `SPDY/3.1+${PORT_FORWARD_PROTOCOL}`;

interface Call {
  readonly context: HandlerContext;
  readonly connector: NodeConnector;
  readonly info: ResourceRequest;
  readonly query: URLSearchParams;
  readonly user: UserInfo;
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/**
 * Answers requests that turn the connection into a stream: exec, attach, port-forward, logs that are read over a
 * WebSocket, and the agents' tunnels.
 */
export function createUpgradeHandler(
  context: HandlerContext,
  tunnels: Tunnels,
  proxy: SubresourceProxy,
): UpgradeHandler {
  return (request, socket, head) => {
    socket.on('error', () => {});
    answer({ context, tunnels, proxy }, { request, socket, head }).catch((error: unknown) => {
      if (!(error instanceof ApiError))
        context.log.error('upgrade failed', { path: request.url?.split('?')[0], error: errorText(error) });
      refuse(socket, error);
    });
  };
}

interface Parts {
  readonly context: HandlerContext;
  readonly tunnels: Tunnels;
  readonly proxy: SubresourceProxy;
}

async function answer(
  { context, tunnels, proxy }: Parts,
  connection: Pick<Call, 'request' | 'socket' | 'head'>,
): Promise<void> {
  const { request } = connection;
  const [path = '/', search = ''] = (request.url ?? '').split('?', 2);
  const query = new URLSearchParams(search);
  const info = parseRequest(request.method ?? 'GET', path, query);
  if (!info) throw badRequest(`cannot decode path ${JSON.stringify(path)}`);
  const sender = authenticate(context, request as unknown as Http2ServerRequest, path);
  if (path === TUNNEL_PATH)
    return tunnels.upgrade(sender, connection.request, connection.socket, connection.head);
  const record = context.audit?.begin(sender, info, factsOf(request, randomUUID()));
  const ended = record && endWith(connection.socket, record);
  try {
    await serve({ context, tunnels, proxy }, { ...connection, sender, record }, info, query);
  } catch (error) {
    ended?.(error);
    throw error;
  }
}

/** The record ends with the connection, or with what is given to the function that this returns. */
function endWith(socket: Duplex, record: AuditRecord): (error: unknown) => void {
  let code = 101;
  socket.once('close', () => record.complete(code, new Map()));
  return (error) => {
    const status = statusOf(error);
    code = status.code;
    record.responseObject(status);
  };
}

interface Sent extends Pick<Call, 'request' | 'socket' | 'head'> {
  readonly sender: UserInfo;
  readonly record: AuditRecord | undefined;
}

async function serve(
  { context, tunnels, proxy }: Parts,
  { sender, record, ...connection }: Sent,
  info: RequestInfo,
  query: URLSearchParams,
): Promise<void> {
  const { authorizer } = context;
  const { rawHeaders } = connection.request;
  const acting = impersonate({ authorizer, sender, rawHeaders, info });
  if (acting) record?.impersonates(acting.user, acting.constraint);
  const user = acting?.user ?? sender;
  record?.annotate('authorization.k8s.io/reason', authorizeRequest(authorizer, user, info));
  record?.annotate('authorization.k8s.io/decision', 'allow');
  const remote = context.aggregator.match(connection.request.url?.split('?', 1)[0] ?? '/');
  if (remote) return context.aggregator.upgrade(connection, remote, user);
  if (info.isResource && proxy.handles(info)) return proxy.upgrade(connection, info, user);
  if (!info.isResource || info.group !== '' || info.resource !== 'pods')
    throw apiError('NotFound', 'the server could not find the requested resource', { details: {} });
  // A WebSocket can only be asked for with GET; what it does is what POST does.
  if (info.verb === 'get' && info.subresource !== 'log') authorizeVerb(authorizer, user, info, 'create');
  const leave = context.long.enter();
  // One that was closed while its sender was looked up does not say so again.
  if (connection.socket.closed) leave();
  else connection.socket.once('close', leave);
  record?.started(101);
  const call: Call = { context, connector: tunnels, info, query, user, ...connection };
  if (info.subresource === 'portforward') return forwardPorts(call);
  if (info.subresource === 'exec' || info.subresource === 'attach') return runProcess(call);
  if (info.subresource === 'log') return readLog(call);
  throw badRequest(`${info.subresource || info.resource} cannot be upgraded`);
}

async function readLog(call: Call): Promise<void> {
  const { context, connector, info, query } = call;
  if (!isWebSocket(call)) throw badRequest(`${info.subresource} cannot be upgraded`);
  const target = podTarget(context.registry, info);
  const request = logRequest(target, query);
  const node = await connector.connect(target.nodeName);
  checkOffered(call, READER_PROTOCOLS);
  const log = await node.logs(request);
  const web = await acceptWebSocket(call, READER_PROTOCOLS).catch((error: unknown) => {
    log.destroy();
    throw error;
  });
  return serveReader(web, log);
}

/** Admission hears of connections, too (operation CONNECT). */
async function admit({ context, info, user }: Call, options: ConnectOptions): Promise<void> {
  const { namespace, name, subresource } = info;
  const served = context.registry.find(info)?.served;
  if (served) await admitConnect(served, { user, resource: info, subresource, namespace, name, options });
}

function isWebSocket({ request }: Call): boolean {
  return (request.headers.upgrade ?? '').toLowerCase() === 'websocket';
}

async function runProcess(call: Call): Promise<void> {
  const { context, connector, info, query } = call;
  const target = podTarget(context.registry, info);
  const request = execRequest(target, info, query);
  await admit(call, execOptions(info, request));
  const node = await connector.connect(target.nodeName);
  const open = () => (info.subresource === 'exec' ? node.exec(request) : node.attach(request));
  if (isWebSocket(call)) {
    checkOffered(call, EXEC_PROTOCOLS);
    // Before the handshake, so that a refusal is an HTTP answer with a Status.
    const session = await open();
    const web = await acceptWebSocket(call, EXEC_PROTOCOLS).catch((error: unknown) => {
      session.close();
      throw error;
    });
    return serveExec(web, session);
  }
  const protocol = acceptSpdy(call, SPDY_EXEC_PROTOCOLS, 'channel.k8s.io');
  const streams = new SpdyExecStreams(request, protocol);
  const connection = new SpdySession(call.socket, { onStream: (stream) => streams.add(stream) }, call.head);
  const opened = await streams.all(context.clock, connection.closed).catch(() => undefined);
  if (!opened) return connection.close();
  try {
    await serveSpdyExec(connection, opened, await open(), protocol);
  } catch (error) {
    await refuseSpdyExec(connection, opened, error, protocol);
  }
}

async function forwardPorts(call: Call): Promise<void> {
  const { context, connector, info, query } = call;
  const target = podTarget(context.registry, info);
  await admit(call, portForwardOptions(query));
  const node = await connector.connect(target.nodeName);
  const forwarder = new PortForwarder(node, target.ref);
  const onStream = (stream: SpdyStream): void => forwarder.add(stream);
  if (isWebSocket(call)) {
    const web = await acceptWebSocket(call, [TUNNEL_PROTOCOL]);
    await new SpdySession(createWebSocketStream(web), { onStream }).closed;
    web.close(1000);
    return;
  }
  acceptSpdy(call, [PORT_FORWARD_PROTOCOL], PORT_FORWARD_PROTOCOL);
  await new SpdySession(call.socket, { onStream }, call.head).closed;
}

function offeredProtocols({ request }: Call): string[] {
  return (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
}

function checkOffered(call: Call, known: readonly string[]): void {
  const offered = offeredProtocols(call);
  if (offered.some((one) => known.includes(one)) || offered.join('') === '') return;
  throw badRequest(
    `unable to negotiate a subprotocol: client offers ${offered.join(', ')}; server knows ${known.join(', ')}`,
  );
}

/** Rejects with 400 when client and server know no protocol in common, and when the client is gone. */
async function acceptWebSocket(call: Call, known: readonly string[]): Promise<WebSocket> {
  const { request, socket, head } = call;
  checkOffered(call, known);
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: LIMITS.stream.messageBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => [...offered].find((one) => known.includes(one)) ?? false,
  });
  return new Promise((resolve, reject) => {
    // There is no handshake with a client that has left, and nobody else says so.
    const left = (): void => reject(apiError('ServiceUnavailable', 'the client has left'));
    if (socket.closed) left();
    else socket.once('close', left);
    server.handleUpgrade(request, socket, head, resolve);
  });
}

/** Switches to SPDY; returns the protocol agreed on. Throws 400 or 403-like refusals before that. */
function acceptSpdy(call: Call, known: readonly string[], oldest: string): string {
  const { request, socket } = call;
  if (!/^spdy\/3\.1$/i.test(request.headers.upgrade ?? ''))
    throw badRequest(`unable to upgrade to ${JSON.stringify(request.headers.upgrade ?? '')}`);
  const header = request.headers['x-stream-protocol-version'];
  const offered =
    header === undefined
      ? [oldest]
      : String(header)
          .split(',')
          .map((one) => one.trim());
  const protocol = known.find((one) => offered.includes(one));
  if (protocol === undefined)
    throw badRequest(
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${known.join(' ')}]`,
    );
  socket.write(
    [
      'HTTP/1.1 101 Switching Protocols',
      'Connection: Upgrade',
      'Upgrade: SPDY/3.1',
      `X-Stream-Protocol-Version: ${protocol}`,
      '\r\n',
    ].join('\r\n'),
  );
  return protocol;
}

/** An HTTP answer where there is no response object: the request asked for something else. */
function refuse(socket: Duplex, error: unknown): void {
  if (socket.destroyed) return;
  const status = statusOf(error);
  const body = JSON.stringify(status);
  socket.end(
    [
      // The reason may be a node's own word.
      `HTTP/1.1 ${status.code} ${STATUS_CODES[status.code] ?? 'Error'}`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}
