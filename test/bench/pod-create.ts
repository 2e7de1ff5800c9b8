/** Creates pods at a steady rate and prints `name milliseconds` of each: `node pod-create.ts <kubeconfig> <count> <per second> <image>`. */
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';

const [path = '', count = '0', perSecond = '1', image = ''] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromFile(path);
const api = config.makeApiClient(CoreV1Api);
const start = performance.now();
for (let n = 0; n < Number(count); n++) {
  const waitMs = start + (n * 1000) / Number(perSecond) - performance.now();
  if (waitMs > 0) await new Promise((next) => setTimeout(next, waitMs));
  const name = `start-${n}`;
  console.log(`${name} ${Date.now()}`);
  await api.createNamespacedPod({
    namespace: 'default',
    body: {
      metadata: { name },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'main', image, command: ['sleep', '100000'] }],
      },
    },
  });
}
