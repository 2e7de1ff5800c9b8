import { describe, expect, it } from 'vitest';
import type { APIService, EndpointSlice, Service } from '../../api/types.gen.ts';
import { judge, PASSED, withVerdict } from './availability.ts';

const apiService: APIService = {
  metadata: { name: 'v1.a' },
  spec: { groupPriorityMinimum: 1, versionPriority: 1, service: { name: 's', namespace: 'n', port: 443 } },
};
const service: Service = {
  metadata: { name: 's', namespace: 'n' },
  spec: { ports: [{ name: 'api', port: 443 }] },
};
const slice: EndpointSlice = {
  metadata: {},
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.0.0.1'] }],
  ports: [{ name: 'api', port: 8443 }],
};
const why = (input: Partial<Parameters<typeof judge>[0]>) => {
  const verdict = judge({ apiService, service, slices: [slice], ...input });
  return verdict && `${verdict.status} ${verdict.reason}: ${verdict.message}`;
};

describe('availability', () => {
  it('is upstream, reason by reason', () => {
    const local = { ...apiService, spec: { groupPriorityMinimum: 1, versionPriority: 1 } };
    expect(why({ apiService: local })).toBe('True Local: Local APIServices are always available');
    expect(why({ service: undefined })).toBe('False ServiceNotFound: service/s in "n" is not present');
    const other = { ...service, spec: { ports: [{ port: 80 }] } };
    expect(why({ service: other })).toBe(
      'False ServicePortError: service/s in "n" is not listening on port 443',
    );
    expect(why({ slices: [] })).toBe(
      'False EndpointsNotFound: cannot find endpointslices for service/s in "n"',
    );
    const missing =
      'False MissingEndpoints: endpointslices for service/s in "n" have no addresses with port name "api"';
    expect(why({ slices: [{ ...slice, endpoints: [] }] })).toBe(missing);
    expect(why({ slices: [{ ...slice, ports: [{ name: 'x', port: 1 }] }] })).toBe(missing);
    const unready = [{ addresses: ['10.0.0.1'], conditions: { ready: false } }];
    expect(why({ slices: [{ ...slice, endpoints: unready }] })).toBe(missing);
    expect(why({})).toBeUndefined();
    // Where it leads is not known of other types.
    expect(why({ service: { ...other, spec: { type: 'ExternalName' } }, slices: [] })).toBeUndefined();
  });

  it('moves its time only with its status', () => {
    const first = withVerdict([], PASSED, 't1');
    expect(first).toEqual([{ type: 'Available', ...PASSED, lastTransitionTime: 't1' }]);
    expect(withVerdict(first, PASSED, 't2')).toBe(first);
    const other = { ...PASSED, message: 'still' };
    expect(withVerdict(first, other, 't2')).toEqual([
      { type: 'Available', ...other, lastTransitionTime: 't1' },
    ]);
    const down = { status: 'False', reason: 'X', message: 'y' } as const;
    const mine = { type: 'Mine', status: 'True' };
    expect(withVerdict([mine, ...first], down, 't3')).toEqual([
      mine,
      { type: 'Available', ...down, lastTransitionTime: 't3' },
    ]);
  });
});
