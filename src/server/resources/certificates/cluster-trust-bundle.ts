import { X509Certificate } from 'node:crypto';
import { IMMUTABLE, invalidValue, required, tooLong } from '../../../api/field-errors.ts';
import { dns1123SubdomainProblems } from '../../../api/names.ts';
import { apiVersionOf } from '../../../api/resource.ts';
import { clusterTrustBundles, clusterTrustBundlesV1beta1 } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { ClusterTrustBundle } from '../../../api/types.gen.ts';
import { LIMITS } from '../../../lib/limits.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { nameColumn, textColumn } from '../columns.ts';
import { type PemBlock, pemBlocks } from './pem-blocks.ts';
import { validateSignerName } from './signer-name.ts';

const OMITTED = '<value omitted>';

function validateBundle({ metadata, spec }: ClusterTrustBundle): FieldError[] {
  const signer = spec?.signerName ?? '';
  return [
    ...nameProblems(metadata.name ?? '', signer).map((problem) =>
      invalidValue('metadata.name', metadata.name ?? '', problem),
    ),
    ...(signer === '' ? [] : validateSignerName('spec.signerName', signer)),
    ...validateTrust('spec.trustBundle', spec?.trustBundle ?? ''),
  ];
}

/** Bundles of a signer are named `example.com:signer:…`, all others without a colon. */
function nameProblems(name: string, signer: string): readonly string[] {
  if (signer === '')
    return name.includes(':')
      ? ['ClusterTrustBundle without signer name must not have ":" in its name']
      : dns1123SubdomainProblems(name);
  const prefix = `${signer.replaceAll('/', ':')}:`;
  if (!name.startsWith(prefix))
    return [`ClusterTrustBundle for signerName ${signer} must be named with prefix ${prefix}`];
  return dns1123SubdomainProblems(name.slice(prefix.length));
}

function validateTrust(path: string, text: string): FieldError[] {
  if (Buffer.byteLength(text) > LIMITS.object.payloadBytes)
    return [tooLong(path, LIMITS.object.payloadBytes)];
  if (text === '') return [required(path)];
  const wrong = (why: string): FieldError => invalidValue(path, OMITTED, why);
  const errors: FieldError[] = [];
  const seen = new Map<string, number[]>();
  pemBlocks(text).forEach((block, index) => {
    const problem = blockProblem(block);
    if (problem !== undefined) errors.push(wrong(`entry ${index} ${problem}`));
    else seen.set(block.body, [...(seen.get(block.body) ?? []), index]);
  });
  if (errors.length > 0) return errors;
  if (seen.size === 0) return [wrong('at least one trust anchor must be provided')];
  return [...seen.values()]
    .filter((indices) => indices.length > 1)
    .map((indices) => wrong(`duplicate trust anchor (indices [${indices.join(' ')}])`));
}

function blockProblem({ type, body }: PemBlock): string | undefined {
  if (type !== 'CERTIFICATE') return `has bad block type: ${type}`;
  if (body.includes(':')) return 'has PEM block headers';
  try {
    const certificate = new X509Certificate(Buffer.from(body, 'base64'));
    return certificate.ca ? undefined : 'does not have the CA bit set';
  } catch (error) {
    return `does not parse as X.509: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Certificates of authorities that pods may trust (KEP-3257). */
export const clusterTrustBundle: ResourceDefinition<ClusterTrustBundle> = {
  resource: clusterTrustBundles,
  singular: 'clustertrustbundle',
  otherVersions: [
    {
      resource: clusterTrustBundlesV1beta1,
      toStorage: (object) => object as ClusterTrustBundle,
      fromStorage: (object) => ({ ...object, apiVersion: apiVersionOf(clusterTrustBundlesV1beta1) }),
    },
  ],
  // The name depends on the signer; `validate` checks it.
  validateName: () => [],
  columns: [
    nameColumn,
    textColumn(
      'SignerName',
      'Whose certificates these are.',
      ({ spec }: ClusterTrustBundle) => spec?.signerName || '<none>',
    ),
  ],
  selectableFields: { 'spec.signerName': ({ spec }) => spec?.signerName ?? '' },
  strategy: {
    hasGeneration: false,
    allowUnconditionalUpdate: false,
    validate: validateBundle,
    validateUpdate: ({ spec }, old) =>
      (spec?.signerName ?? '') === (old.spec?.signerName ?? '')
        ? []
        : [invalidValue('spec.signerName', spec?.signerName ?? '', IMMUTABLE)],
  },
};
