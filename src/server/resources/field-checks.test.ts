import { expect, it } from 'vitest';
import { ordinaryAddress } from './field-checks.ts';

it.each([
  ['127.0.0.1', 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  ['::ffff:127.0.0.1', 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  ['169.254.169.254', 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
  ['fe80::1', 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
  ['224.0.0.1', 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'],
  ['::', 'may not be unspecified (::)'],
])('an address that means another place on each host is none to lead to: %s', (address, why) => {
  expect(ordinaryAddress('ip', address)).toMatchObject([{ message: expect.stringContaining(why) }]);
});

it.each(['10.42.0.5', 'fd00::5', '192.168.1.7'])('%s can be led to', (address) => {
  expect(ordinaryAddress('ip', address)).toEqual([]);
});
