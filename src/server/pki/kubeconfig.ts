import type { CertificateAndKey } from '../../lib/pki/certificate.ts';
import { ensureMode, ensureParent, readText, writeFileAtomic } from '../../lib/secret-file.ts';

export interface KubeconfigOptions {
  /** Such as `https://127.0.0.1:6443`. */
  readonly server: string;
  readonly caPem: string;
  readonly client: CertificateAndKey;
  /** Name of cluster, context and user. */
  readonly name?: string;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A kubeconfig that carries everything it needs. */
export function kubeconfig({ server, caPem, client, name = 'default' }: KubeconfigOptions): string {
  return `apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority-data: ${base64(caPem)}
    server: ${server}
  name: ${name}
contexts:
- context:
    cluster: ${name}
    user: ${name}
  name: ${name}
current-context: ${name}
preferences: {}
users:
- name: ${name}
  user:
    client-certificate-data: ${base64(client.certificatePem)}
    client-key-data: ${base64(client.keyPem)}
`;
}

/**
 * Writes a kubeconfig in one step, readable with `mode` (0600 by default), and only when it would change:
 * flash wears out.
 */
export async function writeKubeconfig(path: string, options: KubeconfigOptions, mode = 0o600): Promise<void> {
  const content = kubeconfig(options);
  await ensureParent(path);
  if ((await readText(path)) !== content) await writeFileAtomic(path, content, mode);
  else await ensureMode(path, mode);
}
