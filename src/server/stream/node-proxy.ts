import { badRequest, notFound } from '../../api/status.ts';
import type { NodeConnector } from '../../client/node-port.ts';
import { sendBytes } from '../http/exchange.ts';
import { methodNotAllowed, type ResourceCall } from '../http/resource-handler.ts';

/** The port that a kubelet has; an agent needs none, but clients may name it. */
const KUBELET_PORT = '10250';

/**
 * `GET /api/v1/nodes/<name>/proxy/<path>`: what the kubelet of the node serves to read. Throws 404 for a node that is
 * not there and for other paths, 405 for other methods, 503 where the agent cannot be reached.
 */
export async function sendNodeDocument(call: ResourceCall, connector: NodeConnector): Promise<void> {
  const { exchange, info, endpoint } = call;
  if (info.verb !== 'get') throw methodNotAllowed();
  const name = nodeName(info.name);
  if (!endpoint.served.cache.get(undefined, name)) throw notFound(endpoint.resource, name);
  const node = await connector.connect(name);
  const { contentType, text } = await node.document(`/${info.rest}`);
  return sendBytes(exchange, 200, contentType, Buffer.from(text));
}

/** `name`, `name:port` or `scheme:name:port`, as upstream reads it. Throws 400 for another port than the kubelet's. */
function nodeName(id: string): string {
  const parts = id.split(':');
  const [name = '', port = ''] = parts.length === 3 ? parts.slice(1) : parts;
  if (parts.length > 3 || name === '') throw badRequest(`invalid node request ${JSON.stringify(id)}`);
  if (port !== '' && port !== KUBELET_PORT)
    throw badRequest(`node ${name} is reached through its agent, which has no port ${port}`);
  return name;
}
