import { describe, expect, it } from 'vitest';
import { parseFieldSelector } from '../../api/fields.ts';
import { watchQueryOf } from './parameters.ts';
import { parseRequest } from './request-info.ts';

/** Names that a watch of this path and query may show, of these Secrets. */
function shown(path: string, search: string): string[] {
  const query = new URLSearchParams(search);
  const info = parseRequest('GET', path, query);
  if (!info?.isResource || info.verb !== 'watch') throw new Error('no watch');
  const selector = parseFieldSelector(watchQueryOf(query, info, {}).fieldSelector ?? '');
  return ['mine', 'theirs'].filter((name) =>
    selector.matches((field) => ({ 'metadata.name': name, type: 'Opaque' })[field]),
  );
}

describe('watchQueryOf', () => {
  it('shows everything that is selected', () => {
    expect(shown('/api/v1/namespaces/a/secrets', 'watch=1')).toEqual(['mine', 'theirs']);
    expect(shown('/api/v1/watch/namespaces/a/secrets', 'fieldSelector=type=x')).toEqual([]);
  });

  it.each(['', 'fieldSelector=type!=x', 'fieldSelector=metadata.name!=x'])(
    'shows no other object where the path names one: %s',
    (search) => {
      expect(shown('/api/v1/watch/namespaces/a/secrets/mine', search)).toEqual(['mine']);
    },
  );

  it('takes a name for a name', () => {
    expect(shown('/api/v1/watch/namespaces/a/secrets/mine%2Ctype=x', '')).toEqual([]);
    expect(shown('/api/v1/watch/namespaces/a/secrets/mine', 'fieldSelector=metadata.name=theirs')).toEqual(
      [],
    );
  });
});
