import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { busyboxContent } from '../../../fixtures/busybox-image.ts';
import { area } from '../area.ts';
import { running } from '../pod-output.ts';
import { pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

/** A registry with one image, on the board's loopback; where it is, and how often the image was asked for. */
async function registry(context: SpecContext): Promise<{ host: string; pulls: () => number }> {
  const { manifest, blobs } = busyboxContent({
    reference: '',
    files: { 'etc/volume-file': 'from an image\n' },
  });
  let pulls = 0;
  const server = createServer(({ url = '', method }, response) => {
    const [, kind, reference = ''] = /^\/v2\/data\/(manifests|blobs)\/([^?]+)/.exec(url) ?? [];
    const digest = kind === 'manifests' && reference === 'v1' ? manifest.digest : reference;
    const body = blobs.get(digest);
    if (!body) return void response.writeHead(404).end();
    if (reference === 'v1') pulls++;
    response.writeHead(200, {
      'content-type': kind === 'manifests' ? manifest.mediaType : 'application/octet-stream',
      'content-length': body.length,
      'docker-content-digest': digest,
    });
    response.end(method === 'HEAD' ? undefined : body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.defer(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `localhost:${(server.address() as AddressInfo).port}`, pulls: () => pulls };
}

area('sig-node', 'ImageVolume', (spec) => {
  spec(
    'should succeed with pod and pull policy of Always [LinuxOnly] [MinimumKubeletVersion:1.35]',
    async (context) => {
      const { host, pulls } = await registry(context);
      const volume = { name: 'volume', image: { reference: `${host}/data:v1`, pullPolicy: 'Always' } };
      for (const name of ['first', 'second']) {
        const mounts = { volumeMounts: [{ name: 'volume', mountPath: '/volume' }] };
        const fields = { volumes: [volume], terminationGracePeriodSeconds: 0 };
        const before = pulls();
        await context.pods.create(pod(name, mounts, fields));
        await running(context, name);
        // Always: the registry is asked although the image is here.
        expect(pulls()).toBeGreaterThan(before);
        const inside = (...command: string[]) => context.kubectl(['exec', name, '--', ...command]);
        expect((await inside('cat', '/volume/etc/volume-file')).stdout).toBe('from an image\n');
        expect((await inside('readlink', '/volume/bin/sh')).stdout).toBe('busybox\n');
        const written = await inside('touch', '/volume/etc/other');
        expect(written.code).not.toBe(0);
        expect(written.stderr).toContain('Read-only file system');
      }
    },
    { timeoutMs: 120_000 },
  );
});
