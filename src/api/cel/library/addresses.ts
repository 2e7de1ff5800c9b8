import { type Address, formatAddress, parseAddress, widthOf } from '../../ip-address.ts';
import type { Declaration } from '../declaration.ts';
import { opaque } from '../types.ts';
import { CelError, OpaqueValue } from '../values.ts';

export const IP = opaque('net.IP');
export const CIDR = opaque('net.CIDR');

class IpValue extends OpaqueValue {
  readonly type = IP;
  readonly address: Address;
  constructor(address: Address) {
    super();
    this.address = address;
  }
  get size(): number {
    return widthOf(this.address) / 8;
  }
  override equals(other: OpaqueValue): boolean {
    if (!(other instanceof IpValue)) return false;
    return this.address.family === other.address.family && this.address.bits === other.address.bits;
  }
  override toString(): string {
    return formatAddress(this.address);
  }
  /** The first bits. */
  prefix(length: number): bigint {
    return this.address.bits >> BigInt(widthOf(this.address) - length);
  }
}

class CidrValue extends OpaqueValue {
  readonly type = CIDR;
  readonly ip: IpValue;
  readonly length: number;
  constructor(ip: IpValue, length: number) {
    super();
    this.ip = ip;
    this.length = length;
  }
  get size(): number {
    return Math.ceil(this.length / 8);
  }
  override equals(other: OpaqueValue): boolean {
    return other instanceof CidrValue && this.length === other.length && this.ip.equals(other.ip);
  }
  override toString(): string {
    return `${this.ip}/${this.length}`;
  }
  contains(ip: IpValue): boolean {
    if (ip.address.family !== this.ip.address.family) return false;
    return ip.prefix(this.length) === this.ip.prefix(this.length);
  }
  masked(): CidrValue {
    const shift = BigInt(widthOf(this.ip.address) - this.length);
    const bits = (this.ip.address.bits >> shift) << shift;
    return new CidrValue(new IpValue({ ...this.ip.address, bits }), this.length);
  }
}

/** An IPv4 address written as IPv6 has no place in Kubernetes. */
const isMapped = ({ family, bits }: Address): boolean => family === 6 && bits >> 32n === 0xffffn;

function readIp(text: string): IpValue {
  const address = parseAddress(text.replace(/%.*$/, ''));
  const shown = JSON.stringify(text);
  if (!address) {
    throw new CelError(
      `IP Address ${shown} parse error during conversion from string: ParseAddr(${shown}): unable to parse IP`,
    );
  }
  if (text.includes('%')) throw new CelError(`IP address ${shown} with zone value is not allowed`);
  if (isMapped(address)) throw new CelError(`IPv4-mapped IPv6 address ${shown} is not allowed`);
  return new IpValue(address);
}

function readCidr(text: string): CidrValue {
  const slash = text.lastIndexOf('/');
  const address = parseAddress(text.slice(0, Math.max(0, slash)));
  const digits = text.slice(slash + 1);
  const length = /^(?:0|[1-9]\d{0,2})$/.test(digits) ? Number(digits) : Number.POSITIVE_INFINITY;
  if (!address || length > widthOf(address)) {
    const head = 'network address parse error during conversion from string: ';
    throw new CelError(`${head}${head}netip.ParsePrefix(${JSON.stringify(text)}): bad prefix`);
  }
  if (isMapped(address))
    throw new CelError(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`);
  return new CidrValue(new IpValue(address), length);
}

function isReadable(read: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      read(text);
      return true;
    } catch (error) {
      if (error instanceof CelError) return false;
      throw error;
    }
  };
}

/** Whether the address begins with these bits. */
const within =
  (four: string, six: string) =>
  (ip: IpValue): boolean =>
    readCidr(ip.address.family === 4 ? four : six).contains(ip);

const isUnspecified = within('0.0.0.0/32', '::/128');
const isLoopback = within('127.0.0.0/8', '::1/128');
const isLinkLocalMulticast = within('224.0.0.0/24', 'ff02::/16');
const isLinkLocalUnicast = within('169.254.0.0/16', 'fe80::/10');
const isMulticast = within('224.0.0.0/4', 'ff00::/8');
const isBroadcast = within('255.255.255.255/32', 'ff00::/8');
const isGlobalUnicast = (ip: IpValue): boolean =>
  ![isUnspecified, isLoopback, isMulticast, isLinkLocalUnicast, isBroadcast].some((is) => is(ip));

const containsCidr = (cidr: CidrValue, other: CidrValue): boolean =>
  cidr.length <= other.length && cidr.contains(other.ip);

/** Kubernetes' libraries for IP addresses and their ranges. */
export const addressDeclarations = (): readonly Declaration[] => [
  ['ip(string): net.IP', readIp],
  ['isIP(string): bool', isReadable(readIp)],
  ['ip.isCanonical(string): bool', (text: string) => String(readIp(text)) === text],
  ['string(net.IP): string', String],
  ['(net.IP).family(): int', ({ address }: IpValue) => BigInt(address.family)],
  ['(net.IP).isUnspecified(): bool', isUnspecified],
  ['(net.IP).isLoopback(): bool', isLoopback],
  ['(net.IP).isLinkLocalMulticast(): bool', isLinkLocalMulticast],
  ['(net.IP).isLinkLocalUnicast(): bool', isLinkLocalUnicast],
  ['(net.IP).isGlobalUnicast(): bool', isGlobalUnicast],
  ['cidr(string): net.CIDR', readCidr],
  ['isCIDR(string): bool', isReadable(readCidr)],
  ['string(net.CIDR): string', String],
  ['(net.CIDR).containsIP(string): bool', (cidr: CidrValue, text: string) => cidr.contains(readIp(text))],
  ['(net.CIDR).containsIP(net.IP): bool', (cidr: CidrValue, ip: IpValue) => cidr.contains(ip)],
  [
    '(net.CIDR).containsCIDR(string): bool',
    (cidr: CidrValue, text: string) => containsCidr(cidr, readCidr(text)),
  ],
  ['(net.CIDR).containsCIDR(net.CIDR): bool', containsCidr],
  ['(net.CIDR).ip(): net.IP', ({ ip }: CidrValue) => ip],
  ['(net.CIDR).prefixLength(): int', ({ length }: CidrValue) => BigInt(length)],
  ['(net.CIDR).masked(): net.CIDR', (cidr: CidrValue) => cidr.masked()],
];
