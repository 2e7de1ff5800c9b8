import type { KubeObject, Resource } from '../api/resource.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { InformerFactory } from '../client/informer.ts';
import type { Client } from '../client/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { CertificateAndKey } from '../lib/pki/certificate.ts';

/** One control loop. Adding one is a folder and a line in `table.ts`. */
export interface Controller {
  /** As upstream names it, such as `deployment-controller`; the source of its Events, and what `--disable` takes. */
  readonly name: string;
  /** Starts watching and working; the returned function stops it and resolves when nothing of it runs any more. */
  start(context: ControllerContext): () => Promise<void>;
}

export interface ControllerContext {
  readonly client: Client;
  /** Shared by all controllers of a process: one watch and one store per resource. */
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly cluster: ClusterFacts;
}

/** What only the server knows. */
export interface ClusterFacts {
  /** PEM of the authorities that pods verify the API server with; published as `kube-root-ca.crt`. */
  readonly rootCA: string;
  /** Signs certificates that were asked for by CertificateSigningRequests. */
  readonly clientCA: CertificateAndKey;
  /**
   * Every built-in resource that is stored, in its storage version; custom ones are found through their
   * definitions. What is missing here is neither collected as garbage nor deleted with its namespace.
   */
  readonly resources: readonly Resource<KubeObject>[];
  /** Nodes get their `spec.podCIDR` out of it; without it somebody else gives them theirs. */
  readonly clusterCIDR?: string;
  /** Signs the unbounded token of a `kubernetes.io/service-account-token` Secret. */
  readonly signLegacyToken: (claims: LegacyTokenClaims) => Promise<string>;
}

export interface LegacyTokenClaims {
  readonly namespace: string;
  readonly serviceAccountName: string;
  readonly serviceAccountUid: string;
  readonly secretName: string;
}
