import { describe, expect, it } from 'vitest';
import { allocatorEnvironment } from './allocator.ts';

describe('the settings of the allocator', () => {
  it('are given once to what runs for long', () => {
    const env = allocatorEnvironment(['server', '--disable-agent'], { PATH: '/bin' });
    expect(env).toMatchObject({ PATH: '/bin', MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '65536' });
    expect(allocatorEnvironment(['server', '--disable-agent'], env ?? {})).toBeUndefined();
    expect(allocatorEnvironment(['agent'], {})).toBeDefined();
  });

  it('leave a person their own, and short commands alone', () => {
    expect(allocatorEnvironment(['server'], { MALLOC_ARENA_MAX: '4' })).toBeUndefined();
    expect(allocatorEnvironment(['kubectl', 'get', 'pods'], {})).toBeUndefined();
    expect(allocatorEnvironment([], {})).toBeUndefined();
  });
});
