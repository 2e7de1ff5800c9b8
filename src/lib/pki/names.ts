import { isIP, isIPv4 } from 'node:net';
import {
  context,
  type DerElement,
  identifierText,
  objectIdentifier,
  octetString,
  parseDer,
  sequence,
  setOf,
  utf8String,
} from './der.ts';

/** Whom a certificate speaks of: Kubernetes reads the user from `commonName`, the groups from `organizations`. */
export interface Subject {
  readonly commonName: string;
  readonly organizations?: readonly string[];
}

/** What a serving certificate may be used as. */
export interface AlternativeNames {
  readonly dnsNames: readonly string[];
  readonly ips: readonly string[];
  readonly emails?: readonly string[];
  readonly uris?: readonly string[];
}

const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
export const SUBJECT_ALT_NAME = '2.5.29.17';

export function encodeSubject(subject: Subject): Buffer {
  const attribute = (type: string, value: string): Buffer =>
    sequence(objectIdentifier(type), utf8String(value));
  const organizations = subject.organizations ?? [];
  return sequence(
    ...organizations.map((name) => setOf(attribute(ORGANIZATION, name))),
    ...(subject.commonName === '' ? [] : [setOf(attribute(COMMON_NAME, subject.commonName))]),
  );
}

/**
 * Throws for a name that others may read in another way than this does: who signs it must see whom it makes its owner.
 */
export function decodeSubject(content: Buffer): Required<Subject> {
  let commonName: string | undefined;
  const organizations: string[] = [];
  for (const group of parseDer(content))
    for (const pair of parseDer(group.content)) {
      const [type, value] = parseDer(pair.content);
      if (!type || !value) throw new Error('malformed name');
      const name = identifierText(type.content);
      if (name === ORGANIZATION) organizations.push(textOf(value));
      if (name !== COMMON_NAME) continue;
      if (commonName !== undefined) throw new Error('the subject has more than one common name');
      commonName = textOf(value);
    }
  return { commonName: commonName ?? '', organizations };
}

/** Texts whose bytes are UTF-8: UTF8String, PrintableString and IA5String. */
const TEXTS: ReadonlySet<number> = new Set([0x0c, 0x13, 0x16]);

function textOf({ tag, content }: DerElement): string {
  if (!TEXTS.has(tag)) throw new Error('the subject holds a kind of text that is not supported');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch (cause) {
    throw new Error('the subject holds a text that is not UTF-8', { cause });
  }
}

/** The subjectAltName extension; `undefined` without names. */
export function encodeAlternativeNames(names: AlternativeNames): Buffer | undefined {
  const general = [
    ...names.dnsNames.map((name) => context(2, Buffer.from(name, 'latin1'), false)),
    ...names.ips.map((ip) => context(7, ipBytes(ip), false)),
    ...(names.emails ?? []).map((email) => context(1, Buffer.from(email, 'latin1'), false)),
    ...(names.uris ?? []).map((uri) => context(6, Buffer.from(uri, 'latin1'), false)),
  ];
  if (general.length === 0) return undefined;
  return sequence(objectIdentifier(SUBJECT_ALT_NAME), octetString(sequence(...general)));
}

export function decodeAlternativeNames(extensionValue: Buffer): Required<AlternativeNames> {
  const [list] = parseDer(extensionValue);
  const general: DerElement[] = list ? parseDer(list.content) : [];
  const texts = (wanted: number): string[] =>
    general.filter(({ tag }) => tag === wanted).map(({ content }) => content.toString('latin1'));
  return {
    dnsNames: texts(0x82),
    emails: texts(0x81),
    uris: texts(0x86),
    ips: general.filter(({ tag }) => tag === 0x87).map(({ content }) => ipText(content)),
  };
}

/** An address as 4 or 16 bytes. */
export function ipBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split('.').map(Number));
  if (isIP(ip) !== 6) throw new Error(`${ip} is not an IP address`);
  let text = ip.split('%')[0] ?? '';
  const dotted = /(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted) {
    const [a = 0, b = 0, c = 0, d = 0] = (dotted[1] ?? '').split('.').map(Number);
    text = `${text.slice(0, dotted.index)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const front = groups(head);
  const back = groups(tail ?? '');
  const all =
    tail === undefined ? front : [...front, ...new Array(8 - front.length - back.length).fill(0), ...back];
  return Buffer.from(all.flatMap((group: number) => [group >> 8, group & 0xff]));
}

/** The shortest usual form (RFC 5952). */
export function ipText(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.');
  if (bytes.length !== 16) throw new Error('malformed IP address');
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
