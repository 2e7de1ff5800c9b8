import { describe, expect, it } from 'vitest';
import type { Deployment } from '../../api/types.gen.ts';
import { progress } from './rollout.ts';

const deployment = (status: Deployment['status'], generation = 2): Deployment => ({
  metadata: { name: 'web', generation },
  spec: { replicas: 3, selector: {}, template: {} },
  status: { observedGeneration: 2, ...status },
});

describe('rollout progress of a deployment', () => {
  it.each([
    [deployment({}, 3), 'Waiting for deployment spec update to be observed...'],
    [deployment({ updatedReplicas: 1 }), '1 out of 3 new replicas have been updated...'],
    [deployment({ updatedReplicas: 3, replicas: 4 }), '1 old replicas are pending termination...'],
    [
      deployment({ updatedReplicas: 3, replicas: 3, availableReplicas: 2 }),
      '2 of 3 updated replicas are available...',
    ],
  ])('says what it waits for (%#)', (object, message) => {
    expect(progress('Deployment', object)).toMatchObject({
      done: false,
      message: expect.stringContaining(message),
    });
  });

  it('ends well, or with the deadline', () => {
    expect(
      progress('Deployment', deployment({ updatedReplicas: 3, replicas: 3, availableReplicas: 3 })),
    ).toEqual({
      done: true,
      message: 'deployment "web" successfully rolled out',
    });
    const stuck = deployment({
      conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }],
    });
    expect(() => progress('Deployment', stuck)).toThrow('deployment "web" exceeded its progress deadline');
  });
});
