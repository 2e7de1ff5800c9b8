/** Prints `name milliseconds` when each pod is first seen Running, until `count` are: `node pod-watch.ts <kubeconfig> <count>`. */
import { KubeConfig, type V1Pod, Watch } from '@kubernetes/client-node';

const [path = '', count = '0'] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromFile(path);
const seen = new Set<string>();
await new Watch(config).watch(
  '/api/v1/namespaces/default/pods',
  {},
  (_type: string, pod: V1Pod) => {
    const name = pod.metadata?.name ?? '';
    if (pod.status?.phase !== 'Running' || seen.has(name)) return;
    seen.add(name);
    console.log(`${name} ${Date.now()}`);
    if (seen.size >= Number(count)) process.exit(0);
  },
  () => process.exit(1),
);
