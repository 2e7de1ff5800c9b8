import { expect, it } from 'vitest';
import type { EndpointSlice, Endpoints } from '../../../api/types.gen.ts';
import { endpoints } from '../core/endpoints.ts';
import { endpointSlice } from './endpoint-slice.ts';

const metadata = { name: 'web', namespace: 'default' };
const fields = (errors: readonly { field: string }[] = []): string[] => errors.map(({ field }) => field);

it('an EndpointSlice keeps addresses that would be refused today until somebody changes them', () => {
  const slice = (address: string, labels = {}): EndpointSlice => ({
    metadata: { ...metadata, labels },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address] }, { addresses: ['169.254.1.1'] }],
    ports: [{ name: '', port: 80, protocol: 'TCP' }],
  });
  const { validateNew, validateUpdate } = endpointSlice.strategy!;
  const refused = ['endpoints[1].addresses[0]'];
  expect(fields(validateNew?.(slice('10.0.0.1')))).toEqual(refused);
  expect(fields(validateUpdate?.(slice('10.0.0.1', { a: 'b' }), slice('10.0.0.1')))).toEqual([]);
  expect(fields(validateUpdate?.(slice('10.0.0.2'), slice('10.0.0.1')))).toEqual(refused);
  const ports = [{ name: 'No', port: 80, protocol: 'TCP' } as const];
  expect(fields(validateUpdate?.({ ...slice('10.0.0.1'), ports }, slice('10.0.0.1')))).toEqual([
    'ports[0].name',
  ]);
});

it('so do Endpoints', () => {
  const object = (ip: string, labels = {}): Endpoints => ({
    metadata: { ...metadata, labels },
    subsets: [{ addresses: [{ ip }, { ip: '127.0.0.1' }], ports: [{ port: 80, protocol: 'TCP' }] }],
  });
  const { validateNew, validateUpdate } = endpoints.strategy!;
  const refused = ['subsets[0].addresses[1].ip'];
  expect(fields(validateNew?.(object('10.0.0.1')))).toEqual(refused);
  expect(fields(validateUpdate?.(object('10.0.0.1', { a: 'b' }), object('10.0.0.1')))).toEqual([]);
  expect(fields(validateUpdate?.(object('10.0.0.2'), object('10.0.0.1')))).toEqual(refused);
});
