import { bitString, objectIdentifier, sequence } from './der.ts';

/** Bits of the key usage extension (RFC 5280, 4.2.1.3), by the names that Kubernetes gives them. */
const BITS = {
  signing: 0,
  'digital signature': 0,
  'content commitment': 1,
  'key encipherment': 2,
  'data encipherment': 3,
  'key agreement': 4,
  'cert sign': 5,
  'crl sign': 6,
  'encipher only': 7,
  'decipher only': 8,
} as const;

/** Purposes of the extended key usage extension. */
const PURPOSES = {
  any: '2.5.29.37.0',
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
  'code signing': '1.3.6.1.5.5.7.3.3',
  'email protection': '1.3.6.1.5.5.7.3.4',
  's/mime': '1.3.6.1.5.5.7.3.4',
  'ipsec end system': '1.3.6.1.5.5.7.3.5',
  'ipsec tunnel': '1.3.6.1.5.5.7.3.6',
  'ipsec user': '1.3.6.1.5.5.7.3.7',
  timestamping: '1.3.6.1.5.5.7.3.8',
  'ocsp signing': '1.3.6.1.5.5.7.3.9',
  'microsoft sgc': '1.3.6.1.4.1.311.10.3.3',
  'netscape sgc': '2.16.840.1.113730.4.1',
} as const;

export type KeyUsage = keyof typeof BITS | keyof typeof PURPOSES;

export const isKeyUsage = (name: string): name is KeyUsage =>
  Object.hasOwn(BITS, name) || Object.hasOwn(PURPOSES, name);

/** The value of the key usage extension; `undefined` where none of its bits is set. */
export function encodeKeyUsage(usages: readonly KeyUsage[]): Buffer | undefined {
  const bits = usages.flatMap((usage) => BITS[usage as keyof typeof BITS] ?? []);
  if (bits.length === 0) return undefined;
  const highest = Math.max(...bits);
  const bytes = Buffer.alloc(Math.floor(highest / 8) + 1);
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  // DER drops trailing zero bits of a named bit list.
  return bitString(bytes, 7 - (highest & 7));
}

/** The value of the extended key usage extension; `undefined` without a purpose. */
export function encodeExtendedKeyUsage(usages: readonly KeyUsage[]): Buffer | undefined {
  const purposes = new Set(usages.flatMap((usage) => PURPOSES[usage as keyof typeof PURPOSES] ?? []));
  return purposes.size === 0 ? undefined : sequence(...[...purposes].map(objectIdentifier));
}
