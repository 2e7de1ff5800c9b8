/** Labels of the kubernetes.io and k8s.io domains that a node may give itself (upstream's kubelet apis). */
const OWN: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
]);
const OWN_DOMAINS = ['kubelet.kubernetes.io', 'node.kubernetes.io'];

/**
 * Whether a node may decide about this label of its own. Those of the Kubernetes domains are the cluster's: pods are
 * kept on trusted nodes by them.
 */
export function isAllowedNodeLabel(label: string): boolean {
  const slash = label.indexOf('/');
  const domain = slash < 0 ? '' : label.slice(0, slash);
  const isWithin = (parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`);
  if (!isWithin('kubernetes.io') && !isWithin('k8s.io')) return true;
  if (OWN.has(label)) return true;
  return OWN_DOMAINS.some(isWithin);
}
