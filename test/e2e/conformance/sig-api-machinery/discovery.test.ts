import { expect } from 'vitest';
import { area } from '../area.ts';
import type { Cluster } from '../cluster.ts';
import { establish, makeDefinition, version } from '../custom-definitions.ts';

interface GroupVersion {
  readonly groupVersion: string;
  readonly version: string;
}
interface Group {
  readonly name: string;
  readonly versions: readonly GroupVersion[];
  readonly preferredVersion: GroupVersion;
}
interface AggregatedList {
  readonly kind: string;
  readonly items: readonly {
    readonly metadata: { readonly name?: string };
    readonly versions: readonly {
      readonly version: string;
      readonly resources: readonly { readonly resource: string }[];
    }[];
  }[];
}

/** One resource of every group that any cluster has. */
const EVERYWHERE = [
  ['v1', 'namespaces'],
  ['admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations'],
  ['apiextensions.k8s.io/v1', 'customresourcedefinitions'],
  ['apiregistration.k8s.io/v1', 'apiservices'],
  ['apps/v1', 'deployments'],
  ['authentication.k8s.io/v1', 'tokenreviews'],
  ['authorization.k8s.io/v1', 'selfsubjectaccessreviews'],
  ['autoscaling/v1', 'horizontalpodautoscalers'],
  ['autoscaling/v2', 'horizontalpodautoscalers'],
  ['batch/v1', 'jobs'],
  ['certificates.k8s.io/v1', 'certificatesigningrequests'],
  ['coordination.k8s.io/v1', 'leases'],
  ['discovery.k8s.io/v1', 'endpointslices'],
  ['events.k8s.io/v1', 'events'],
  ['networking.k8s.io/v1', 'ingresses'],
  ['node.k8s.io/v1', 'runtimeclasses'],
  ['policy/v1', 'poddisruptionbudgets'],
  ['scheduling.k8s.io/v1', 'priorityclasses'],
  ['storage.k8s.io/v1', 'csinodes'],
] as const;

const rootOf = (groupVersion: string): string => (groupVersion.includes('/') ? '/apis' : '/api');

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** `group/version resource` of everything that an aggregated document lists. */
async function aggregated(cluster: Cluster, path: string): Promise<ReadonlySet<string>> {
  const answer = await cluster.api.raw('GET', path, { accept: AGGREGATED });
  expect(answer.headers['content-type']).toBe(AGGREGATED);
  const list = JSON.parse(answer.text) as AggregatedList;
  expect(list.kind).toBe('APIGroupDiscoveryList');
  return new Set(
    list.items.flatMap(({ metadata: { name = '' }, versions }) =>
      versions.flatMap(({ version, resources }) =>
        resources.map(({ resource }) => `${name === '' ? version : `${name}/${version}`} ${resource}`),
      ),
    ),
  );
}

area('sig-api-machinery', 'Discovery', (spec) => {
  spec('should validate PreferredVersion for each APIGroup', async ({ cluster }) => {
    const { groups } = await cluster.get<{ groups: readonly Group[] }>('/apis/');
    expect(groups.length).toBeGreaterThan(10);
    for (const { name } of groups.filter((group) => !group.name.endsWith('.example.com'))) {
      const group = await cluster.get<Group>(`/apis/${name}/`);
      expect(group.versions, name).not.toEqual([]);
      expect(group.versions, name).toContainEqual(group.preferredVersion);
    }
  });

  spec('should locate the groupVersion and a resource within each APIGroup', async ({ cluster }) => {
    for (const [groupVersion, resource] of EVERYWHERE) {
      const list = await cluster.get<{ groupVersion: string; resources: { name: string }[] }>(
        `${rootOf(groupVersion)}/${groupVersion}`,
      );
      expect(list.groupVersion).toBe(groupVersion);
      expect(list.resources.map(({ name }) => name)).toContain(resource);
    }
  });
});

area('sig-api-machinery', 'AggregatedDiscovery', (spec) => {
  spec('should support raw aggregated discovery endpoint Accept headers', async ({ cluster }) => {
    for (const root of ['/api', '/apis']) {
      const found = await aggregated(cluster, root);
      const expected = EVERYWHERE.filter(([groupVersion]) => rootOf(groupVersion) === root);
      expect(expected.filter((pair) => !found.has(pair.join(' ')))).toEqual([]);
    }
  });

  spec('should support aggregated discovery interface', async ({ cluster, namespace }) => {
    // kubectl reads the aggregated documents, and nothing else where the server has them.
    const listed = await cluster.ok(['api-resources', '--no-headers', '-v=7'], { namespace });
    const resources = listed.split('\n').map((line) => line.trim().split(/\s+/));
    for (const [groupVersion, resource] of EVERYWHERE) {
      const version = groupVersion.startsWith('autoscaling/') ? 'autoscaling/v2' : groupVersion;
      expect(
        resources.some((line) => line[0] === resource && line.includes(version)),
        resource,
      ).toBe(true);
    }
    const { stderr } = await cluster.kubectl([
      'api-versions',
      '-v=7',
      '--cache-dir',
      `${cluster.folder}/none`,
    ]);
    const { stdout } = await cluster.kubectl(['api-versions']);
    for (const [groupVersion] of EVERYWHERE) expect(stdout.split('\n')).toContain(groupVersion);
    const asked = [...stderr.matchAll(/"Request" verb="GET" url="https:\/\/[^/]+(\/[^"]*)"/g)].map(
      ([, path]) => path,
    );
    expect(new Set(asked)).toEqual(new Set(['/api?timeout=32s', '/apis?timeout=32s']));
  });
});

area('sig-api-machinery', 'AggregatedDiscovery', (spec) => {
  spec('should support raw aggregated discovery request for CRDs', async (context) => {
    const { spec: made } = await establish(context, makeDefinition(context, [version('v1beta1')]));
    const found = await aggregated(context.cluster, '/apis');
    expect(found).toContain(`${made.group}/v1beta1 ${made.names.plural}`);
  });

  spec('should support aggregated discovery interface for CRDs', async (context) => {
    const { spec: made } = await establish(context, makeDefinition(context, [version('v1beta1')]));
    const cache = `${context.cluster.folder}/${context.unique('cache')}`;
    const listed = await context.ok(['api-resources', '--no-headers', '--cache-dir', cache]);
    const line = listed.split('\n').find((one) => one.startsWith(made.names.plural));
    expect(line?.trim().split(/\s+/)).toEqual([
      made.names.plural,
      `${made.group}/v1beta1`,
      'false',
      made.names.kind,
    ]);
  });
});

area('sig-api-machinery', 'server version', (spec) => {
  spec('should find the server version', async ({ cluster }) => {
    const version = await cluster.get<{ major: string; minor: string; gitVersion: string }>('/version');
    expect(version.major).toMatch(/^\d+$/);
    expect(version.minor).toMatch(/^\d+$/);
    expect(version.gitVersion).toMatch(/^v1\.\d+\.\d+/);
  });
});
