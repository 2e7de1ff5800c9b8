import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { containerConfig, sandboxConfig } from '../../../test/contract/runtime.ts';
import { buildBusyboxImage, busyboxContent } from '../../../test/fixtures/busybox-image.ts';
import { startTestContainerd, type TestContainerd } from '../../../test/fixtures/containerd.ts';
import type { Runtime } from '../port.ts';

const PASSWORD = 'se"cr$et `x` \\';

/** A registry that wants a password, on loopback. */
function createRegistry(): Server {
  const { manifest, blobs } = busyboxContent({ reference: '', files: { 'etc/pulled': 'yes' }, user: 'web' });
  const wanted = `Basic ${Buffer.from(`me:${PASSWORD}`).toString('base64')}`;
  return createServer((request, response) => {
    const { url = '', method } = request;
    if (url.includes('/private') && request.headers.authorization !== wanted) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
      return;
    }
    const [, kind, reference = ''] = /^\/v2\/(?:public|private)\/(manifests|blobs)\/([^?]+)/.exec(url) ?? [];
    const digest = kind === 'manifests' && reference === 'v1' ? manifest.digest : reference;
    const body = blobs.get(digest);
    if (!body) {
      response.writeHead(404).end();
      return;
    }
    const type = kind === 'manifests' ? manifest.mediaType : 'application/octet-stream';
    response.writeHead(200, {
      'content-type': type,
      'content-length': body.length,
      'docker-content-digest': digest,
    });
    response.end(method === 'HEAD' ? undefined : body);
  });
}

describe('images in containerd', { timeout: 30_000 }, () => {
  let containerd: TestContainerd;
  let runtime: Runtime;
  let registry: Server;
  let host = '';

  beforeAll(async () => {
    containerd = await startTestContainerd();
    runtime = containerd.runtime();
    registry = createRegistry().listen(0, '127.0.0.1');
    await once(registry, 'listening');
    host = `localhost:${(registry.address() as AddressInfo).port}`;
  }, 60_000);
  afterAll(async () => {
    registry.closeAllConnections();
    registry.close();
    await containerd.close();
  }, 60_000);

  it('pulls without credentials', async () => {
    const image = await runtime.pullImage(`${host}/public:v1`, {});
    expect(image).toMatchObject({ references: [`${host}/public:v1`], user: 'web' });
    expect(image.digests[0]).toMatch(/\/public@sha256:/);
  });

  it('pulls with a password that is not in any argument list', async () => {
    const credentials = { username: 'me', password: PASSWORD };
    const argvs: string[] = [];
    const { exec } = containerd;
    const { run } = exec;
    exec.run = (argv, options) => {
      argvs.push(JSON.stringify([argv, options?.env]));
      return run(argv, options);
    };
    const image = await runtime.pullImage(`${host}/private:v1`, { credentials });
    exec.run = run;
    expect(image.references).toContain(`${host}/private:v1`);
    expect(argvs.join('\n')).toContain('private:v1');
    expect(argvs.join('\n')).not.toContain('cr$et');
  });

  it('says what is wrong with a pull, without the password', async () => {
    const wrong = { username: 'me', password: 'wrong-pass' };
    const refused = runtime.pullImage(`${host}/private:v1`, { credentials: wrong });
    await expect(refused).rejects.toThrow(
      /failed to pull and unpack image ".*private:v1": .*401 Unauthorized/s,
    );
    await expect(refused).rejects.not.toThrow(/wrong-pass/);
    await expect(runtime.pullImage(`${host}/public:absent`, {})).rejects.toThrow(/absent: not found/);
    await expect(runtime.pullImage('localhost:1/x:y', {})).rejects.toThrow(/connection refused/);
  });

  it('imports an archive as it comes, and removes an image with its root file system', async () => {
    const archive = join(containerd.dir, 'other.tar');
    await writeFile(
      archive,
      buildBusyboxImage({ reference: 'docker.io/library/other:2', files: { 'etc/other': 'x' } }),
    );
    expect(await runtime.importImages(createReadStream(archive))).toEqual(['docker.io/library/other:2']);
    const image = await runtime.image('other:2');
    const sandbox = sandboxConfig();
    await runtime.createSandbox(sandbox);
    await runtime.startContainer(containerConfig(sandbox.uid, 'sleep 1000', { image: image?.id ?? '' }));
    await runtime.removeSandbox(sandbox.uid);
    await runtime.removeImage(image?.id ?? '');
    expect(await runtime.image('other:2')).toBeUndefined();
    const ctr = [
      'ctr',
      '--address',
      containerd.containerd.address,
      '--namespace',
      'k8s.io',
      'snapshots',
      'list',
    ];
    expect((await containerd.exec.run(ctr)).stdout).not.toContain('kedge-view');
    await runtime.removeImage(image?.id ?? '');
  });
});
