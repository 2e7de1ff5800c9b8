import { describe, expect, it } from 'vitest';
import { acceptsGzip, negotiate } from './negotiate.ts';

describe('negotiate', () => {
  it.each([
    [undefined, { format: 'json' }],
    ['*/*', { format: 'json' }],
    ['application/yaml', { format: 'yaml' }],
    ['application/vnd.kubernetes.protobuf,application/json', { format: 'json' }],
    [
      'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
      { format: 'json', as: 'Table' },
    ],
    [
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      { format: 'json', as: 'PartialObjectMetadataList' },
    ],
    [
      'application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
      { format: 'json', as: 'Table', version: 'v1beta1' },
    ],
    ['application/json;as=Table;v=v2;g=meta.k8s.io,application/json', { format: 'json' }],
    [
      'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json',
      { format: 'json', as: 'APIGroupDiscoveryList' },
    ],
  ])('%s', (accept, expected) => {
    expect(negotiate(accept)).toEqual(expected);
  });
  it('shows no table of what has no columns', () => {
    const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    expect(() => negotiate(table, { hasTable: false })).toThrow(
      /only the following media types are accepted/,
    );
    expect(negotiate(`${table},application/json`, { hasTable: false })).toEqual({ format: 'json' });
  });
  it('streams no YAML', () => {
    expect(() => negotiate('application/yaml', { isStream: true })).toThrow(/accepted: application\/json$/);
    expect(negotiate('application/yaml,application/json', { isStream: true })).toEqual({ format: 'json' });
  });
  it('refuses what it cannot write', () => {
    expect(() => negotiate('application/vnd.kubernetes.protobuf')).toThrow(
      expect.objectContaining({ status: expect.objectContaining({ code: 406, reason: 'NotAcceptable' }) }),
    );
  });
  it('knows who takes gzip', () => {
    expect(acceptsGzip('gzip, deflate')).toBe(true);
    expect(acceptsGzip('deflate')).toBe(false);
    expect(acceptsGzip(undefined)).toBe(false);
  });
});
