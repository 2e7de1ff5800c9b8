import { expect, it } from 'vitest';
import { oldEntries } from './remote-discovery.ts';

const REMOTE = { group: 'example.com', version: 'v1' };

it('makes entries of an old list', () => {
  const verbs = ['get'];
  const list = {
    resources: [
      { name: 'widgets/scale', group: 'autoscaling', version: 'v1', kind: 'Scale', verbs },
      { name: 'widgets', singularName: 'widget', namespaced: true, kind: 'Widget', verbs, shortNames: ['w'] },
      { name: 'widgetsets', singularName: 'widgetset', namespaced: false, kind: 'WidgetSet', verbs },
      { name: 'widgets/status', kind: 'Widget', verbs },
      { name: 'lost/status', kind: 'Lost', verbs },
      'nonsense',
    ],
  };
  expect(oldEntries(JSON.stringify(list), REMOTE)).toEqual([
    {
      resource: 'widgets',
      responseKind: { ...REMOTE, kind: 'Widget' },
      scope: 'Namespaced',
      singularResource: 'widget',
      verbs,
      shortNames: ['w'],
      subresources: [
        {
          subresource: 'scale',
          responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
          verbs,
        },
        { subresource: 'status', responseKind: { ...REMOTE, kind: 'Widget' }, verbs },
      ],
    },
    {
      resource: 'widgetsets',
      responseKind: { ...REMOTE, kind: 'WidgetSet' },
      scope: 'Cluster',
      singularResource: 'widgetset',
      verbs,
    },
  ]);
});

it('reads a list as long as a document may be in linear time', () => {
  // Eight megabytes of short entries are some 200,000; comparing each with each would take minutes.
  const resources = Array.from({ length: 200_000 }, (_, at) => ({
    name: `a${at >> 1}${at % 2 ? '/s' : ''}`,
  }));
  const entries = oldEntries(JSON.stringify({ resources }), REMOTE);
  expect(entries).toHaveLength(100_000);
}, 10_000);
