import type { Duplex, Readable } from 'node:stream';

/**
 * What the API server asks of the agent on a node: the streaming half of a kubelet's API. In process where both
 * run together, through the agent's tunnel otherwise. Errors are `ApiError`.
 */
export interface NodeApi {
  /** Raw log text. With `follow` the stream ends when the container does or the reader destroys it. */
  logs(request: LogRequest): Promise<Readable>;
  exec(request: ExecRequest): Promise<ExecSession>;
  attach(request: ExecRequest): Promise<ExecSession>;
  /** A byte stream to a port inside the pod's network namespace. */
  portForward(pod: PodRef, port: number): Promise<Duplex>;
  /** A connection to a port of the pod's own address, as anybody in the cluster would make it. Starts no process. */
  connectPod(pod: PodRef, port: number, signal?: AbortSignal): Promise<Duplex>;
  /** The `stats/summary` document of the kubelet API. */
  statsSummary(): Promise<object>;
  /** One of the documents that a kubelet serves, by its path, such as `/pods`. 404 for any other. */
  document(path: string): Promise<NodeDocument>;
}

export interface NodeDocument {
  readonly contentType: string;
  readonly text: string;
}

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Mirrors `PodLogOptions`. */
export interface LogRequest {
  readonly pod: PodRef;
  readonly container: string;
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly timestamps?: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
  readonly limitBytes?: number;
}

export interface ExecRequest {
  readonly pod: PodRef;
  readonly container: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface ExecSession {
  /** Absent streams were not asked for. With a TTY everything arrives on `stdout`. */
  readonly stdin?: NodeJS.WritableStream;
  readonly stdout?: Readable;
  readonly stderr?: Readable;
  resize(size: { readonly columns: number; readonly rows: number }): void;
  /** Resolves with the exit code once the process ended and its output was delivered. */
  readonly exit: Promise<number>;
  /** Kills the process; harmless when it has ended. */
  close(): void;
}

/** Finds the agent of a node. */
export interface NodeConnector {
  /** Rejects with a 502-like `ApiError` naming the node when it cannot be reached. */
  connect(nodeName: string): Promise<NodeApi>;
}
