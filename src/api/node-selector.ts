import type { NodeSelectorRequirement, NodeSelectorTerm, Pod } from '../api/types.gen.ts';

export interface SelectableNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The test of what a pod requires of a node's labels and name; `undefined` where it requires nothing. */
export function requiredNodes({ spec }: Pod): ((node: SelectableNode) => boolean) | undefined {
  const { nodeSelector = {}, affinity } = spec ?? {};
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const hasSelector = Object.keys(nodeSelector).length > 0;
  if (!hasSelector && !terms) return undefined;
  return (node) =>
    (!hasSelector || matchesLabels(node, nodeSelector)) && (!terms || matchesAnyTerm(node, terms));
}

/** Terms are alternatives; one without any requirement matches nothing (core/v1 NodeSelectorTerm). */
export function matchesAnyTerm(node: SelectableNode, terms: readonly NodeSelectorTerm[]): boolean {
  return terms.some((term) => matchesTerm(node, term));
}

export function matchesTerm(node: SelectableNode, term: NodeSelectorTerm): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) => satisfies(requirement, ownValue(node.labels, requirement.key))) &&
    matchFields.every((requirement) =>
      satisfies(requirement, requirement.key === 'metadata.name' ? node.name : undefined),
    )
  );
}

export function matchesLabels(node: SelectableNode, wanted: Readonly<Record<string, string>>): boolean {
  for (const key in wanted) if (ownValue(node.labels, key) !== wanted[key]) return false;
  return true;
}

function ownValue(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function satisfies({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const bound = values[0];
      if (value === undefined || bound === undefined) return false;
      if (!/^-?\d{1,19}$/.test(value) || !/^-?\d{1,19}$/.test(bound)) return false;
      return operator === 'Gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
    default:
      return false;
  }
}
