import { expect } from 'vitest';
import { area } from '../area.ts';
import { rule, WebhookServer } from './webhook-server.ts';

area('sig-api-machinery', 'AdmissionWebhook [Privileged:ClusterAdmin]', (spec) => {
  spec('should be able to deny attaching pod', async (context) => {
    const server = await WebhookServer.start(context);
    await server.configure('validating', [
      server.webhook('deny-attaching-pod.k8s.io', '/pods/attach', {
        rules: [rule(['CONNECT'], 'pods/attach')],
      }),
    ]);
    const name = 'to-be-attached-pod';
    await context.pods.create({
      metadata: { name },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'container1', image: 'kedge.local/busybox:1', command: ['sleep', '1000'] }],
      },
    });
    await context.until(
      'the pod to run',
      async () => (await context.pods.get(name)).status?.phase === 'Running',
    );
    const { code, stderr } = await context.kubectl(['attach', name, '-i', '-c=container1']);
    expect(code).not.toBe(0);
    expect(stderr).toContain("attaching to pod 'to-be-attached-pod' is not allowed");
    // What is not about attaching goes through.
    expect(await context.ok(['exec', name, '-c', 'container1', '--', 'echo', 'fine'])).toBe('fine\n');
  });
});
