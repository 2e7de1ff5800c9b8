import type { NamespaceCondition } from '../../api/types.gen.ts';
import { withCondition } from '../framework/status-writer.ts';

/** What was found in a namespace after everything in it was told to go. */
export interface NamespaceContent {
  /** `pods.`, `deployments.apps` → objects that are still there. */
  readonly remaining: Readonly<Record<string, number>>;
  /** Finalizer → objects that carry it. */
  readonly finalizers: Readonly<Record<string, number>>;
  readonly errors: readonly string[];
}

export function isEmptyContent({ remaining, errors }: NamespaceContent): boolean {
  return Object.keys(remaining).length === 0 && errors.length === 0;
}

/** Upstream's five conditions of a namespace that is being deleted, in its words. */
export function planNamespaceConditions(
  conditions: readonly NamespaceCondition[] | undefined,
  content: NamespaceContent,
  now: string,
): NamespaceCondition[] {
  const remaining = sentence(content.remaining, (name, count) => `${name} has ${count} resource instances`);
  const finalizers = sentence(content.finalizers, (name, count) => `${name} in ${count} resource instances`);
  const wanted: [string, boolean, string, string][] = [
    [
      'NamespaceDeletionDiscoveryFailure',
      false,
      'ResourcesDiscovered',
      'All resources successfully discovered',
    ],
    [
      'NamespaceDeletionGroupVersionParsingFailure',
      false,
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ],
    content.errors.length > 0
      ? [
          'NamespaceDeletionContentFailure',
          true,
          'ContentDeletionFailed',
          `Failed to delete all resource types, ${content.errors.length} remaining: ${content.errors.join(', ')}`,
        ]
      : [
          'NamespaceDeletionContentFailure',
          false,
          'ContentDeleted',
          'All content successfully deleted, may be waiting on finalization',
        ],
    remaining === ''
      ? ['NamespaceContentRemaining', false, 'ContentRemoved', 'All content successfully removed']
      : [
          'NamespaceContentRemaining',
          true,
          'SomeResourcesRemain',
          `Some resources are remaining: ${remaining}`,
        ],
    finalizers === ''
      ? [
          'NamespaceFinalizersRemaining',
          false,
          'ContentHasNoFinalizers',
          'All content-preserving finalizers finished',
        ]
      : [
          'NamespaceFinalizersRemaining',
          true,
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${finalizers}`,
        ],
  ];
  let all = [...(conditions ?? [])];
  for (const [type, is, reason, message] of wanted) {
    const status = is ? 'True' : 'False';
    all = withCondition(all, { type, status, reason, message, lastTransitionTime: now }, true);
  }
  return all;
}

function sentence(counts: Readonly<Record<string, number>>, say: (name: string, count: number) => string) {
  return Object.entries(counts)
    .map(([name, count]) => say(name, count))
    .sort()
    .join(', ');
}
