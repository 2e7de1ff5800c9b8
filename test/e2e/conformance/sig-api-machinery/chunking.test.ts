import { Agent, type RequestOptions, request } from 'node:https';
import { expect } from 'vitest';
import type { PodTemplate } from '../../../../src/api/types.gen.ts';
import { refusal, type StatusError } from '../api-client.ts';
import { area } from '../area.ts';
import { podTemplate } from '../pods.ts';
import type { KubeList, ResourceClient } from '../resource-client.ts';
import type { SpecContext } from '../spec-context.ts';

const TOTAL = 400;
const nameOf = (index: number): string => `template-${String(index).padStart(4, '0')}`;

/** Runs `work` for 0 to `count`, sixteen at a time. */
async function parallel(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}

async function createTemplates(context: SpecContext): Promise<ResourceClient<PodTemplate>> {
  const templates = context.resource<PodTemplate>('v1', 'podtemplates');
  await parallel(TOTAL, async (index) => {
    await templates.create({ metadata: { name: nameOf(index) }, template: podTemplate({}) });
  });
  return templates;
}

/** The page follows `found` others: its names go on from there, and what remains is told rightly. */
function checkPage(page: KubeList<PodTemplate>, found: number, limit: number): number {
  expect(page.items.length).toBeLessThanOrEqual(limit);
  expect(page.items.map(({ metadata }) => metadata.name)).toEqual(
    page.items.map((_item, index) => nameOf(found + index)),
  );
  const { continue: token = '', remainingItemCount } = page.metadata;
  if (token === '') expect(remainingItemCount).toBeUndefined();
  else expect(remainingItemCount).toBe(TOTAL - found - page.items.length);
  return found + page.items.length;
}

area('sig-api-machinery', 'Servers with support for API chunking', (spec) => {
  spec('should return chunks of results for list calls', async (context) => {
    const templates = await createTemplates(context);
    for (let round = 0; round < 3; round++) {
      let found = 0;
      let token: string | undefined;
      let version: string | undefined;
      do {
        const limit = 1 + ((found * 7 + round * 13 + 5) % 40);
        const page = await templates.list({ limit, continue: token });
        version ??= page.metadata.resourceVersion;
        expect(page.metadata.resourceVersion).toBe(version);
        found = checkPage(page, found, limit);
        token = page.metadata.continue;
        // A change while the pages are read must not show in them.
        if (round === 1 && found < TOTAL / 2)
          await templates.patch(nameOf(399), { metadata: { labels: { at: String(found) } } });
        if (round === 2 && found < TOTAL / 2)
          await templates.create({ metadata: { name: `zz-${found}` }, template: podTemplate({}) });
      } while (token);
      expect(found).toBe(TOTAL);
    }
    await templates.deleteCollection({ fieldSelector: 'metadata.name!=zz' }, { dryRun: ['All'] });
    const { items } = await templates.list({ limit: TOTAL + 1000 });
    expect(items.filter(({ metadata }) => metadata.name?.startsWith('template-'))).toHaveLength(TOTAL);
  });

  spec(
    'should support continue listing from the last key if the original version has been compacted away, though the list is inconsistent [Slow]',
    async (context) => {
      const limit = TOTAL / 10;
      const templates = await createTemplates(context);
      const first = await templates.list({ limit });
      let found = checkPage(first, 0, limit);
      const token = first.metadata.continue;
      const expired = await context.until(
        'the token to expire',
        async () => await churn(context, templates, token),
        150_000,
      );
      expect(expired.code).toBe(410);
      expect(expired.reason).toBe('Expired');
      const fresh = expired.status.metadata?.continue;
      expect(fresh).not.toBe('');
      let page = await templates.list({ limit, continue: fresh });
      expect(page.metadata.resourceVersion).not.toBe(first.metadata.resourceVersion);
      expect(page.items).toHaveLength(limit);
      const version = page.metadata.resourceVersion;
      found = checkPage(page, found, limit);
      while (page.metadata.continue) {
        page = await templates.list({ limit, continue: page.metadata.continue });
        expect(page.metadata.resourceVersion).toBe(version);
        found = checkPage(page, found, limit);
      }
      expect(found).toBe(TOTAL);
    },
    { timeoutMs: 180_000 },
  );
});

const LANES = 16;

/** The refusal of an expired token, if it has expired. Many writes bring compaction about sooner than time does. */
async function churn(
  { cluster, configMaps }: SpecContext,
  templates: ResourceClient<PodTemplate>,
  token: string | undefined,
): Promise<StatusError | undefined> {
  // Twenty thousand requests by the plainest client there is, so that the server has most of the processor.
  const credentials: RequestOptions = {};
  await cluster.api.config.applyToHTTPSOptions(credentials);
  const { ca, cert, key } = credentials;
  const agent = new Agent({ ca, cert, key, keepAlive: true, maxSockets: LANES });
  const headers = { 'content-type': 'application/merge-patch+json' };
  const options: RequestOptions = { agent, method: 'PATCH', headers };
  const server = cluster.api.config.getCurrentCluster()?.server ?? '';
  const send = (index: number): Promise<void> =>
    new Promise((done, failed) => {
      const url = `${server}${configMaps.path}/churn-${index % LANES}`;
      const sent = request(url, options, (answer) => {
        answer.resume();
        answer.once('end', done);
      });
      sent.once('error', failed);
      sent.end(JSON.stringify({ data: { index: `${index} ${performance.now()}` } }));
    });
  await parallel(LANES, async (index) => {
    const name = `churn-${index}`;
    if (!(await configMaps.find(name))) await configMaps.create({ metadata: { name } });
  });
  await parallel(2000, send);
  agent.destroy();
  const listing = templates.list({ limit: 1, continue: token });
  return await listing.then(
    () => undefined,
    async () => await refusal(listing),
  );
}
