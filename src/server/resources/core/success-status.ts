import type { KubeObject } from '../../../api/resource.ts';

/** The body of an answer that has nothing else to say. */
export function successStatus(code: 200 | 201): KubeObject {
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code };
  return status;
}
