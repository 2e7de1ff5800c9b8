import { selectorFromObject } from '../../api/labels.ts';
import type { ClusterTrustBundle, ClusterTrustBundleProjection } from '../../api/types.gen.ts';
import { fromPem, toPem } from '../../lib/pki/key.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/**
 * The certificates of one bundle, or of those of a signer that a selector matches (KEP-3257), each once, in an order that
 * says nothing. Throws upstream's words where there is none, unless that is allowed; then the answer is empty.
 */
export function trustAnchors(
  all: readonly ClusterTrustBundle[],
  { name = '', signerName = '', labelSelector, optional = false }: ClusterTrustBundleProjection,
): string {
  if (name !== '') {
    const found = all.find(({ metadata }) => metadata.name === name);
    if (found) return normalized([found]);
    if (optional) return '';
    throw new Error(`clustertrustbundle "${name}" not found`);
  }
  // Without a selector nothing matches, with an empty one all do.
  const selector = labelSelector && selectorFromObject(labelSelector);
  const chosen = all.filter(
    ({ metadata, spec }) => spec?.signerName === signerName && selector?.matches(metadata.labels ?? {}),
  );
  if (chosen.length > 0) return normalized(chosen);
  if (optional) return '';
  throw new Error('combination of signerName and labelSelector matched zero ClusterTrustBundles');
}

function normalized(bundles: readonly ClusterTrustBundle[]): string {
  const blocks = bundles.flatMap(({ spec }) => spec?.trustBundle?.match(CERTIFICATE) ?? []);
  const texts = blocks.map((block) => toPem('CERTIFICATE', fromPem('CERTIFICATE', block)));
  return [...new Set(texts)].sort().join('');
}
