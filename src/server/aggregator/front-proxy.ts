import type { KubeObject } from '../../api/resource.ts';
import { configMaps } from '../../api/resources.gen.ts';
import type { CertificateAndKey } from '../../lib/pki/certificate.ts';

/** How this server shows aggregated API servers who it is, and whom they may believe. */
export interface FrontProxy {
  /** Signed by `requestHeaderCaPem`, for `commonName`; the newest one. */
  readonly certificate: () => CertificateAndKey;
  readonly commonName: string;
  readonly requestHeaderCaPem: string;
  /** Signs the certificates of users, whom an aggregated server may also meet directly. */
  readonly clientCaPem: string;
}

/** What aggregated API servers read to know whom to believe (upstream's cluster authentication controller). */
export function authenticationConfig(frontProxy: FrontProxy): {
  readonly resource: typeof configMaps;
  readonly object: KubeObject & { readonly data: Readonly<Record<string, string>> };
} {
  const { clientCaPem, requestHeaderCaPem, commonName } = frontProxy;
  const metadata = { name: 'extension-apiserver-authentication', namespace: 'kube-system' };
  const data = {
    'client-ca-file': clientCaPem,
    'requestheader-allowed-names': JSON.stringify([commonName]),
    'requestheader-client-ca-file': requestHeaderCaPem,
    'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
    'requestheader-group-headers': '["X-Remote-Group"]',
    'requestheader-uid-headers': '["X-Remote-Uid"]',
    'requestheader-username-headers': '["X-Remote-User"]',
  };
  return { resource: configMaps, object: { apiVersion: 'v1', kind: 'ConfigMap', metadata, data } };
}
