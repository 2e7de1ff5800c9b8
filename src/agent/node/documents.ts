import type { Pod } from '../../api/types.gen.ts';
import type { NodeDocument } from '../../client/node-port.ts';
import type { AgentSettings } from '../settings.ts';
import type { SummaryOptions } from './stats-summary.ts';
import { statsSummary } from './stats-summary.ts';

export interface DocumentSources extends SummaryOptions {
  readonly settings: AgentSettings;
}

const json = (value: unknown): NodeDocument => ({
  contentType: 'application/json',
  text: JSON.stringify(value),
});
const plain = (text: string): NodeDocument => ({ contentType: 'text/plain; charset=utf-8', text });

type Write = (sources: DocumentSources) => NodeDocument | Promise<NodeDocument>;

/** What a kubelet serves to read, and clients ask for by way of `nodes/proxy`. */
const DOCUMENTS: Readonly<Record<string, Write>> = {
  '/healthz': () => plain('ok'),
  '/pods': (sources) => json(podList(sources)),
  '/configz': (sources) => json({ kubeletconfig: configuration(sources.settings) }),
  '/stats/summary': async (sources) => json(await statsSummary(sources)),
};

/** `undefined` for a path that is none of them. */
export function nodeDocument(
  path: string,
  sources: DocumentSources,
): NodeDocument | Promise<NodeDocument> | undefined {
  const key = path.replace(/\/+$/, '');
  return Object.hasOwn(DOCUMENTS, key) ? DOCUMENTS[key]?.(sources) : undefined;
}

function podList({ pods }: DocumentSources): object {
  const items: Pod[] = [...pods.workers.values()].map(({ pod }) => pod);
  return { kind: 'PodList', apiVersion: 'v1', metadata: {}, items };
}

/** The fields of a KubeletConfiguration that say something true about this agent. */
function configuration(settings: AgentSettings): object {
  const { maxPods, clusterDNS, clusterDomain, cgroupRoot, resolvConf } = settings;
  return {
    kind: 'KubeletConfiguration',
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    ...{ clusterDNS, clusterDomain, maxPods, resolvConf },
    cgroupRoot: `/${cgroupRoot}`,
    failSwapOn: false,
  };
}
