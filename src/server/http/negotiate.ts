import { apiError } from '../../api/status.ts';

/** How an answer is to be written. */
export interface Answer {
  readonly format: 'json' | 'yaml';
  /** Instead of the object itself. */
  readonly as?: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'APIGroupDiscoveryList';
  /** The version of `as` where it is an older one. */
  readonly version?: 'v1beta1';
}

const MEDIA_TYPES: Readonly<Record<string, Answer['format']>> = {
  'application/json': 'json',
  'application/*': 'json',
  '*/*': 'json',
  'text/*': 'yaml',
  'application/yaml': 'yaml',
  'application/x-yaml': 'yaml',
};
const KINDS = [
  'Table',
  'PartialObjectMetadata',
  'PartialObjectMetadataList',
  'APIGroupDiscoveryList',
] as const;
const VERSIONS: Readonly<Record<string, string>> = { 'meta.k8s.io': 'v1', 'apidiscovery.k8s.io': 'v2' };

const PLAIN: Answer = { format: 'json' };

/**
 * Picks the first media type of `Accept` that can be served. Quality values only order upstream's list among equals,
 * and its clients put what they like best first; so does this. `hasTable` is false for what has no
 * columns to show, `isStream` true for watches. Throws 406.
 */
export function negotiate(accept: string | undefined, { hasTable = true, isStream = false } = {}): Answer {
  if (accept === undefined || accept === '' || accept === 'application/json') return PLAIN;
  for (const clause of accept.split(',')) {
    const answer = readClause(clause);
    // A stream of YAML documents is nothing that upstream speaks.
    if (!answer || (isStream && answer.format === 'yaml')) continue;
    if (hasTable || answer.as !== 'Table') return answer;
  }
  throw apiError(
    'NotAcceptable',
    `only the following media types are accepted: application/json${isStream ? '' : ', application/yaml'}`,
  );
}

function readClause(clause: string): Answer | undefined {
  const [type = '', ...parameters] = clause.split(';').map((part) => part.trim());
  const format = MEDIA_TYPES[type.toLowerCase()];
  if (!format) return undefined;
  const values = new Map(parameters.map((part) => part.split('=', 2) as [string, string]));
  if (values.get('q') === '0') return undefined;
  const wanted = values.get('as');
  if (wanted === undefined) return { format };
  const as = KINDS.find((kind) => kind === wanted);
  const group = values.get('g') ?? 'meta.k8s.io';
  const version = VERSIONS[group];
  if (as && group === 'meta.k8s.io' && values.get('v') === 'v1beta1')
    return { format, as, version: 'v1beta1' };
  // An unknown version of a known kind is a clause that cannot be served; the next one may be.
  return as && version === (values.get('v') ?? version) ? { format, as } : undefined;
}

/** Whether the client takes gzip. */
export function acceptsGzip(header: string | string[] | undefined): boolean {
  return typeof header === 'string' && /(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$)))?/.test(header);
}
