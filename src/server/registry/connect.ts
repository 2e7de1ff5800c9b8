import type { KubeObject, Resource } from '../../api/resource.ts';
import { admitMutating, admitValidating } from './admit.ts';
import type { UserInfo } from './definition.ts';
import type { ServedResource } from './served-resource.ts';

/** Such as `PodExecOptions`. */
export interface ConnectOptions {
  readonly apiVersion: string;
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** A connection to a subresource (`exec`, `attach`, `portforward`, `proxy`) that somebody asks for. */
export interface Connection {
  readonly user: UserInfo;
  readonly resource: Pick<Resource, 'group' | 'version' | 'resource'>;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly options: ConnectOptions;
  warn?(text: string): void;
  annotate?(key: string, value: string): void;
}

/** Asks admission. Rejects with its refusal. */
export async function admitConnect(served: ServedResource, connection: Connection): Promise<void> {
  const { user, resource, subresource, namespace, name, options, annotate } = connection;
  const request = {
    user,
    resource,
    namespace,
    name,
    dryRun: false,
    fieldManager: '',
    fieldValidation: 'Ignore',
    warn: (text: string) => connection.warn?.(text),
    ...(annotate === undefined ? {} : { annotate }),
  } as const;
  // Options have no metadata; plugins that read it do not handle connections.
  const object = { ...options } as unknown as KubeObject;
  const admission = { operation: 'CONNECT', subresource, object } as const;
  await admitMutating(served, request, admission);
  await admitValidating(served, request, admission);
}
