import { apiError } from '../../api/status.ts';
import type { NodeApi, NodeConnector } from '../../client/node-port.ts';

/** The one node this process runs; other names cannot be reached. */
export class LocalNode implements NodeConnector {
  api: NodeApi | undefined;
  readonly #name: string;
  constructor(name: string) {
    this.#name = name;
  }
  async connect(nodeName: string): Promise<NodeApi> {
    if (nodeName === this.#name && this.api) return this.api;
    throw apiError(
      'ServiceUnavailable',
      `node ${JSON.stringify(nodeName)} cannot be reached: its agent is not connected`,
    );
  }
}
