import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pod, Secret } from '../../api/types.gen.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { FakeRuntime } from '../../runtime/fake.ts';
import type { Image } from '../../runtime/port.ts';
import { planCollection } from './image-collector.ts';
import { ImageManager } from './image-manager.ts';
import { credentialsFor } from './pull-secrets.ts';
import { PulledImages } from './pulled-images.ts';
import { shownImages } from './volume-images.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kedge-images-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const base64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');
const secretOf = (auths: object): Secret => ({
  metadata: {},
  data: { '.dockerconfigjson': base64({ auths }) },
});
const pod = { metadata: { name: 'web', uid: 'u' } };

describe('pull secrets', () => {
  const secret = secretOf({
    'https://index.docker.io/v1/': { auth: base64('hub:a:b') },
    'registry.example': { username: 'any', password: '1' },
    'registry.example/team': { username: 'team', password: '2' },
  });
  it.each([
    ['busybox', { username: 'hub', password: 'a:b' }],
    ['registry.example/other/app:1', { username: 'any', password: '1' }],
    ['registry.example/team/app', { username: 'team', password: '2' }],
    ['elsewhere.example/app', undefined],
  ])('for %s', (image, credentials) => {
    expect(credentialsFor(image, [{ metadata: {}, data: { '.dockercfg': 'damaged' } }, secret])).toEqual(
      credentials,
    );
  });
});

describe('image manager', () => {
  it('obeys the pull policy and remembers only what it pulled', async () => {
    const clock = new FakeClock();
    const runtime = new FakeRuntime({ clock, pullable: (name) => name.includes('busybox') });
    const imported = runtime.addImage('busybox:imported');
    const pulled = new PulledImages(join(dir, 'pulled.json'));
    const images = new ImageManager({ runtime, clock, pulled });
    const told: string[] = [];
    const ensure = (image: string, imagePullPolicy: string) =>
      images.ensure(pod, { name: 'main', image, imagePullPolicy }, [], (_, reason, message) =>
        told.push(`${reason}: ${message}`),
      );
    await ensure('busybox:imported', 'IfNotPresent');
    await ensure('busybox:imported', 'Always');
    const fetched = await ensure('busybox:2', 'IfNotPresent');
    expect(told).toEqual([
      'Pulled: Container image "busybox:imported" already present on machine and can be accessed by the pod',
      'Pulling: Pulling image "busybox:imported"',
      expect.stringMatching(/^Pulled: Successfully pulled image "busybox:imported" in \d[\d.]*m?s /),
      'Pulling: Pulling image "busybox:2"',
      expect.stringContaining('Image size: 1000 bytes.'),
    ]);
    const known = await new PulledImages(join(dir, 'pulled.json')).all();
    expect([...known.keys()]).toEqual([fetched.id]);
    expect(known.has(imported.id)).toBe(false);
    await expect(ensure('busybox:3', 'Never')).rejects.toMatchObject({ reason: 'ErrImageNeverPull' });
    await expect(ensure('Not//Valid', 'Always')).rejects.toMatchObject({ reason: 'InvalidImageName' });
  });

  it('doubles the wait after each failed pull, up to five minutes', async () => {
    const clock = new FakeClock();
    const runtime = new FakeRuntime({ clock, pullable: () => false });
    const images = new ImageManager({ runtime, clock, pulled: new PulledImages(join(dir, 'p.json')) });
    const attempt = () =>
      images.ensure(pod, { name: 'main', image: 'a' }, [], () => {}).catch((error) => error);
    const waits: number[] = [];
    for (let round = 0; round < 7; round++) {
      expect((await attempt()).reason).toBe('ErrImagePull');
      const { reason, retryMs } = await attempt();
      expect(reason).toBe('ImagePullBackOff');
      waits.push(retryMs / 1000);
      await clock.advance(retryMs);
    }
    expect(waits).toEqual([10, 20, 40, 80, 160, 300, 300]);
  });
});

describe('collection', () => {
  const image = (id: string) => ({ id, references: [], digests: [], sizeBytes: 100, user: '' });
  it('takes the longest unused of those that were pulled and are not in use', () => {
    const plan = planCollection({
      images: ['imported', 'used', 'old', 'older', 'young'].map(image),
      used: new Set(['used']),
      pulled: new Map([
        ['used', { lastUsedMs: 0 }],
        ['old', { lastUsedMs: 20 }],
        ['older', { lastUsedMs: 10 }],
        ['young', { lastUsedMs: 950 }],
      ]),
      bytesToFree: 150,
      nowMs: 1000,
      minimumAgeMs: 100,
    });
    expect(plan.map(({ id }) => id)).toEqual(['older', 'old']);
  });
});

describe('images of volumes', () => {
  it('are those that a pod names, by tag, digest or id', () => {
    const image = (id: string, references: string[], digests: string[] = []): Image => ({
      ...{ id, references, digests, sizeBytes: 1, user: '' },
    });
    const digest = `example.com/x@sha256:${'a'.repeat(64)}`;
    const images = [
      image('sha256:1', ['docker.io/library/data:latest']),
      image('sha256:2', [], [digest]),
      image('sha256:3', ['docker.io/library/other:1']),
    ];
    const pod = (...references: string[]): Pod => ({
      metadata: { name: 'p' },
      spec: { containers: [], volumes: references.map((reference) => ({ name: 'v', image: { reference } })) },
    });
    expect(shownImages([pod('data', 'UPPER/case:!'), pod(digest)], images)).toEqual(['sha256:1', 'sha256:2']);
    expect(shownImages([{ metadata: { name: 'none' } }], images)).toEqual([]);
  });
});
