import { expect, it } from 'vitest';
import { extendedDiffers, withExtended } from './extended-resources.ts';

const own = { capacity: { cpu: '4', 'hugepages-2Mi': '0' }, allocatable: { cpu: '4', 'hugepages-2Mi': '0' } };

it('makes allocatable what somebody advertises, and takes it back', () => {
  const dongle = 'example.com/dongle';
  const advertised = { capacity: { ...own.capacity, [dongle]: '3' }, allocatable: own.allocatable };
  expect(extendedDiffers(own, advertised)).toBe(true);
  expect(withExtended(own, advertised).allocatable).toEqual({ ...own.allocatable, [dongle]: '3' });
  const settled = { ...advertised, allocatable: { ...own.allocatable, [dongle]: '3' } };
  expect(extendedDiffers(own, settled)).toBe(false);
  const withdrawn = { capacity: own.capacity, allocatable: settled.allocatable };
  expect(extendedDiffers(own, withdrawn)).toBe(true);
  expect(withExtended(own, withdrawn).allocatable).toEqual({ ...own.allocatable, [dongle]: null });
});

it('leaves alone what is no extended resource', () => {
  expect(extendedDiffers(own, { capacity: { 'hugepages-32Mi': '1' }, allocatable: {} })).toBe(false);
  expect(extendedDiffers(own, {})).toBe(false);
});
