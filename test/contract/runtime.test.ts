import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '../../src/lib/fake-clock.ts';
import { FakeRuntime } from '../../src/runtime/fake.ts';
import { startTestContainerd } from '../fixtures/containerd.ts';
import { describeRuntime } from './runtime.ts';

describeRuntime('fake', async () => {
  const clock = new FakeClock();
  const logDir = await mkdtemp(join(tmpdir(), 'kedge-fake-'));
  const runtime = new FakeRuntime({ clock, logDir });
  runtime.addImage('busybox:1');
  return {
    runtime,
    restart: async () => runtime,
    advance: (ms) => clock.advance(ms),
    close: () => rm(logDir, { recursive: true }),
  };
});

describeRuntime('ctr', async () => {
  const containerd = await startTestContainerd();
  const runtime = containerd.runtime();
  return {
    runtime,
    restart: async () => {
      await runtime.close();
      return containerd.runtime();
    },
    advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    close: () => containerd.close(),
  };
});
