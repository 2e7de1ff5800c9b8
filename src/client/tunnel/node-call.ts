import type { ExecRequest, LogRequest, PodRef } from '../node-port.ts';

/** Where an agent opens its tunnel, on the API server's port. */
export const TUNNEL_PATH = '/v1-kedge/connect';
/** The WebSocket subprotocol of this version of the frames. */
export const TUNNEL_PROTOCOL = 'v1.tunnel.kedge.io';

/** What the server asks of a node through the tunnel: the methods of `NodeApi` that carry bytes. */
export type NodeCall =
  | { readonly do: 'logs'; readonly request: LogRequest }
  | { readonly do: 'exec' | 'attach'; readonly request: ExecRequest }
  | { readonly do: 'portForward' | 'connectPod'; readonly pod: PodRef; readonly port: number }
  | { readonly do: 'statsSummary' }
  | { readonly do: 'document'; readonly path: string };

/** Lanes of a process; calls with one stream use the first alone. */
export const LANES = { stdin: 0, stdout: 1, stderr: 2 } as const;
export const ONLY_LANE = 0;

/** What is told besides the streams. */
export type NodeNote =
  | { readonly resize: { readonly columns: number; readonly rows: number } }
  | { readonly exitCode: number };
