import { expect } from 'vitest';
import type { ReplicationController } from '../../../../src/api/types.gen.ts';
import { area } from '../area.ts';
import { printed, running } from '../pod-output.ts';
import { IMAGE, pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

const controller = (replicas: number): string => `
apiVersion: v1
kind: ReplicationController
metadata: { name: demo, labels: { name: demo } }
spec:
  replicas: ${replicas}
  selector: { name: demo }
  template:
    metadata: { labels: { name: demo } }
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{ name: main, image: ${IMAGE}, command: [sleep, "100000"], ports: [{ containerPort: 6379 }] }]
`;

async function started(context: SpecContext, replicas: number): Promise<void> {
  const controllers = context.resource<ReplicationController>('v1', 'replicationcontrollers');
  await context.until(
    `${replicas} pods`,
    async () => {
      const { status } = await controllers.get('demo');
      return status?.readyReplicas === replicas && status.replicas === replicas;
    },
    60_000,
  );
}
const podNames = async (context: SpecContext) =>
  (await context.ok(['get', 'pods', '-l', 'name=demo', '-o', 'name'])).trim().split('\n');

area('sig-cli', 'Kubectl client', (spec) => {
  const LONG = { timeoutMs: 120_000 };
  spec('Kubectl run pod should create a pod from an image when restart is Never', async (context) => {
    await context.ok(['run', 'once', '--restart=Never', `--image=${IMAGE}`]);
    const { spec: fields } = await context.pods.get('once');
    expect(fields).toMatchObject({ restartPolicy: 'Never', containers: [{ image: IMAGE }] });
  });
  spec('Kubectl label should update the label on a resource', async (context) => {
    await context.pods.create(pod('labelled'));
    await context.ok(['label', 'pods', 'labelled', 'testing-label=testing-label-value']);
    expect(await context.ok(['get', 'pod', 'labelled', '-L', 'testing-label'])).toContain(
      'testing-label-value',
    );
    await context.ok(['label', 'pods', 'labelled', 'testing-label-']);
    expect(await context.ok(['get', 'pod', 'labelled', '-L', 'testing-label'])).not.toContain(
      'testing-label-value',
    );
  });
  spec("Kubectl replace should update a single-container pod's image", async (context) => {
    const rest = ['--labels=run=replaced', '--', 'sleep', '100000'];
    await context.ok(['run', 'replaced', `--image=${IMAGE}`, ...rest]);
    await running(context, 'replaced');
    const text = await context.ok(['get', 'pod', 'replaced', '-o', 'json']);
    await context.ok(['replace', '-f', '-'], text.replaceAll(IMAGE, 'kedge.local/other:1'));
    expect((await context.pods.get('replaced')).spec?.containers[0]?.image).toBe('kedge.local/other:1');
  });
  spec('Kubectl server-side dry-run should check if kubectl can dry-run update Pods', async (context) => {
    await context.ok(['run', 'dry', `--image=${IMAGE}`, '--labels=run=dry']);
    const patch = '{"spec":{"containers":[{"name":"dry","image":"kedge.local/other:1"}]}}';
    await context.ok(['patch', 'pod', 'dry', '-p', patch, '--dry-run=server']);
    expect((await context.pods.get('dry')).spec?.containers[0]?.image).toBe(IMAGE);
  });
  spec(
    'Update Demo should create and stop a replication controller',
    async (context) => {
      await context.ok(['create', '-f', '-'], controller(2));
      await started(context, 2);
      await context.ok(['delete', '-f', '-', '--grace-period=0', '--force'], controller(2));
      await context.until(
        'the pods to go',
        async () => (await context.ok(['get', 'pods', '-l', 'name=demo', '-o', 'name'])) === '',
        60_000,
      );
      expect(await context.ok(['get', 'rc', '-o', 'name'])).toBe('');
    },
    LONG,
  );
  spec(
    'Update Demo should scale a replication controller',
    async (context) => {
      await context.ok(['create', '-f', '-'], controller(2));
      await started(context, 2);
      for (const replicas of [1, 2]) {
        await context.ok(['scale', 'rc', 'demo', `--replicas=${replicas}`, '--timeout=1m']);
        await started(context, replicas);
      }
    },
    LONG,
  );
  spec(
    'Kubectl patch should add annotations for pods in rc',
    async (context) => {
      await context.ok(['create', '-f', '-'], controller(1));
      await started(context, 1);
      for (const name of await podNames(context))
        await context.ok(['patch', name, '-p', '{"metadata":{"annotations":{"x":"y"}}}']);
      const { items } = await context.pods.list({ labelSelector: 'name=demo' });
      expect(items.map(({ metadata }) => metadata.annotations?.['x'])).toEqual(['y']);
    },
    LONG,
  );
  spec(
    'Kubectl describe should check if kubectl describe prints relevant information for rc and pods',
    async (context) => {
      await context.ok(['create', '-f', '-'], controller(1));
      await started(context, 1);
      const [name = ''] = await podNames(context);
      const aPod = await context.ok(['describe', name]);
      for (const text of [
        /^Name:\s+demo-/m,
        /^Namespace:\s/m,
        /^Node:\s+board\//m,
        /^Labels:\s+name=demo/m,
        /^Status:\s+Running/m,
        /^IP:\s+10\.42\./m,
        /^Controlled By:\s+ReplicationController\/demo/m,
        /Image:\s+kedge.local/,
        /State:\s+Running/,
        /QoS Class:\s+BestEffort/,
      ])
        expect(aPod).toMatch(text);
      const rc = await context.ok(['describe', 'rc', 'demo']);
      for (const text of [
        /^Name:\s+demo/m,
        /^Selector:\s+name=demo/m,
        /^Replicas:\s+1 current \/ 1 desired/m,
        /Pods Status:\s+1 Running \/ 0 Waiting/,
        /Image:\s+kedge.local/,
        /SuccessfulCreate/,
      ])
        expect(rc).toMatch(text);
      expect(await context.ok(['describe', 'node', 'board'])).toMatch(
        /Name:\s+board[\s\S]*Conditions:[\s\S]*Capacity:[\s\S]*Allocatable:/,
      );
      expect(await context.ok(['describe', 'namespace', context.namespace])).toMatch(/Status:\s+Active/);
    },
    LONG,
  );
  spec(
    'Kubectl expose should create services for rc',
    async (context) => {
      await context.ok(['create', '-f', '-'], controller(1));
      await started(context, 1);
      const pod = (await context.pods.list({ labelSelector: 'name=demo' })).items[0];
      await running(context, pod?.metadata.name ?? '');
      const ports = async (name: string, port: number) => {
        const service = await context.services.get(name);
        expect(service.spec?.ports?.map(({ port: one, targetPort }) => [one, targetPort])).toEqual([
          [port, 6379],
        ]);
        await context.until(`endpoints of ${name}`, async () => {
          const { subsets } = await context
            .resource<{
              metadata: object;
              subsets?: { addresses?: { ip: string }[]; ports?: { port: number }[] }[];
            }>('v1', 'endpoints')
            .get(name);
          return (
            subsets?.[0]?.addresses?.[0]?.ip === pod?.status?.podIP && subsets?.[0]?.ports?.[0]?.port === 6379
          );
        });
      };
      await context.ok(['expose', 'rc', 'demo', '--name=rm2', '--port=1234', '--target-port=6379']);
      await ports('rm2', 1234);
      await context.ok(['expose', 'service', 'rm2', '--name=rm3', '--port=2345', '--target-port=6379']);
      await ports('rm3', 2345);
    },
    LONG,
  );
});

area('sig-cli', 'Kubectl logs logs', (spec) => {
  spec('should be able to retrieve and filter logs', async (context) => {
    const command = ['sh', '-c', 'for i in $(seq 1 20); do echo "line $i"; done; exec sleep 100000'];
    await context.pods.create(pod('logging', { command }, { terminationGracePeriodSeconds: 0 }));
    await printed(context, 'logging', 'line 20\n');
    const lines = async (...args: string[]) =>
      (await context.ok(['logs', 'logging', ...args])).trimEnd().split('\n');
    expect(await lines()).toHaveLength(20);
    expect(await lines('--tail=1')).toEqual(['line 20']);
    expect((await context.ok(['logs', 'logging', '--limit-bytes=1'])).length).toBe(1);
    const [stamped = ''] = await lines('--tail=1', '--timestamps');
    expect(stamped).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z line 20$/);
    expect(await lines('--since=24h')).toHaveLength(20);
    await context.until(
      'a second to pass',
      async () => (await context.ok(['logs', 'logging', '--since=1s'])) === '' || undefined,
    );
  });
});
