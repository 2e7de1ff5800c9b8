import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodes } from '../../../api/resources.gen.ts';
import type { Node, NodeCondition } from '../../../api/types.gen.ts';
import type { Client } from '../../../client/port.ts';
import type { ApiServer } from '../../api-server.ts';
import { startTestServer } from '../../test-server.fake.ts';

const ready = (heartbeat: string, status = 'True'): NodeCondition => ({
  type: 'Ready',
  status,
  lastHeartbeatTime: heartbeat,
  lastTransitionTime: '2026-01-01T00:00:00Z',
});

describe('what of a Node reaches the disk', () => {
  let server: ApiServer;
  let client: Client;
  const kinds: string[] = [];

  beforeEach(async () => {
    const started = await startTestServer();
    server = started.server;
    client = server.client({ name: 'system:node:board', groups: ['system:masters'] });
    await client.create(nodes, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'board' },
      status: { conditions: [ready('2026-01-01T00:00:00Z')] },
    });
    kinds.length = 0;
    started.datastore.subscribe((changes) =>
      kinds.push(...changes.map((change) => (change.volatile ? 'volatile' : 'durable'))),
    );
  });
  afterEach(() => server.close());

  const writeStatus = (status: Node['status']): Promise<Node> =>
    client.patch(nodes, { name: 'board' }, { type: 'merge', body: { status } }, { subresource: 'status' });

  it('is not a heartbeat that says nothing new', async () => {
    const seen = await writeStatus({ conditions: [ready('2026-01-01T00:05:00Z')] });
    expect(seen.status?.conditions?.[0]?.lastHeartbeatTime).toBe('2026-01-01T00:05:00Z');
    expect(kinds).toEqual(['volatile']);
  });

  it('is a condition that changed, a label, and an image', async () => {
    await writeStatus({ conditions: [ready('2026-01-01T00:05:00Z', 'False')] });
    await client.patch(
      nodes,
      { name: 'board' },
      { type: 'merge', body: { metadata: { labels: { a: 'b' } } } },
    );
    await writeStatus({ images: [{ names: ['example.org/app:1'], sizeBytes: 1 }] });
    expect(kinds).toEqual(['durable', 'durable', 'durable']);
  });
});
