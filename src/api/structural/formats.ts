/** The formats of strings and numbers that upstream checks (k8s.io/kube-openapi/pkg/validation/strfmt). */
import { isIPv4, isIPv6 } from 'node:net';
import type { JsonSchema } from './json-schema.ts';

type Check = (text: string) => boolean;

const HOSTNAME =
  /^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$/u;
const CREDIT_CARD =
  /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/;
const RGB_PART = '(0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])';
const RGB = new RegExp(`^rgb\\(\\s*${RGB_PART}\\s*,\\s*${RGB_PART}\\s*,\\s*${RGB_PART}\\s*\\)$`);
const SHORT_NAME = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const LONG_NAME = new RegExp(`^${SHORT_NAME}(\\.${SHORT_NAME})*$`);
const uuid = (third: string, fourth: string): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${third}-?${fourth}-?[0-9a-f]{12}$`, 'i');
const matching =
  (expression: RegExp): Check =>
  (text) =>
    expression.test(text);

const STRING_FORMATS: Readonly<Record<string, Check>> = {
  bsonobjectid: matching(/^[0-9a-fA-F]{24}$/),
  uri: isRequestUri,
  email: isEmail,
  hostname: (text) =>
    text.length <= 255 && HOSTNAME.test(text) && text.split('.').every((label) => label.length <= 63),
  ipv4: (text) => isIPv4(withoutLeadingZeros(text)),
  ipv6: (text) => text.includes(':') && !text.includes('%') && isIPv6(text),
  cidr: isCidr,
  mac: isMac,
  uuid: matching(uuid('[0-9a-f]{4}', '[0-9a-f]{4}')),
  uuid3: matching(uuid('3[0-9a-f]{3}', '[0-9a-f]{4}')),
  uuid4: matching(uuid('4[0-9a-f]{3}', '[89ab][0-9a-f]{3}')),
  uuid5: matching(uuid('5[0-9a-f]{3}', '[89ab][0-9a-f]{3}')),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: (text) => text.length === 11 && /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  hexcolor: matching(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: matching(RGB),
  byte: matching(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/),
  password: () => true,
  date: isDate,
  duration: isDuration,
  datetime: isDateTime,
  k8sshortname: (text) => text.length <= 63 && new RegExp(`^${SHORT_NAME}$`).test(text),
  k8slongname: (text) => text.length <= 253 && LONG_NAME.test(text),
};

const normalized = (format: string): string => format.replaceAll('-', '');

/** The schema's format if anything is checked for it; formats nobody knows are ignored, as upstream. */
export function knownFormat({
  format,
  type,
  ...schema
}: Pick<JsonSchema, 'format' | 'type' | 'x-kubernetes-int-or-string'>): string | undefined {
  if (!format) return undefined;
  const plain = schema['x-kubernetes-int-or-string'] === true ? undefined : type;
  if (plain === undefined || plain === 'string')
    return Object.hasOwn(STRING_FORMATS, normalized(format)) ? format : undefined;
  const numeric = { integer: ['int32', 'int64'], number: ['float', 'double'] } as const;
  const known = plain === 'integer' || plain === 'number' ? numeric[plain] : [];
  return (known as readonly string[]).includes(format) ? format : undefined;
}

/** Whether the text has the format; `undefined` where the format is none of strings. */
export function hasFormat(format: string, text: string): boolean | undefined {
  const name = normalized(format);
  return Object.hasOwn(STRING_FORMATS, name) ? STRING_FORMATS[name]?.(text) : undefined;
}

/** Go's url.ParseRequestURI: an absolute URI or an absolute path. */
function isRequestUri(text: string): boolean {
  if (text === '' || /[\u0000-\u0020\u007f]/.test(text) || /%(?![0-9A-Fa-f]{2})/.test(text)) return false;
  if (text.startsWith('/') || text === '*') return true;
  return /^[A-Za-z][A-Za-z0-9+.-]*:\S*$/.test(text);
}

/** Go's mail.ParseAddress, as far as addresses look in practice: `a@b` or `Name <a@b>`. */
function isEmail(text: string): boolean {
  const named = /^[^<>]*<([^<>]+)>\s*$/.exec(text);
  const address = named?.[1] ?? text.trim();
  return (
    /^(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]|[^\u0000-\u007f])+@(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]|\[[^\]]*\]|[^\u0000-\u007f])+$/.test(
      address,
    ) && !/^\.|\.\.|\.@|@\.|\.$/.test(address)
  );
}

const withoutLeadingZeros = (text: string): string => text.replace(/(^|\.)0+(?=\d)/g, '$1');

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  if (rest.length > 0 || !/^\d{1,3}$/.test(bits)) return false;
  if (isIPv4(withoutLeadingZeros(address))) return Number(bits) <= 32;
  return isIPv6(address) && !address.includes('%') && Number(bits) <= 128;
}

function isMac(text: string): boolean {
  const octets = /^(?:[0-9A-Fa-f]{2}:)+[0-9A-Fa-f]{2}$|^(?:[0-9A-Fa-f]{2}-)+[0-9A-Fa-f]{2}$/.test(text);
  const groups = /^(?:[0-9A-Fa-f]{4}\.)+[0-9A-Fa-f]{4}$/.test(text);
  const bytes = text.replace(/[^0-9A-Fa-f]/g, '').length / 2;
  return (octets || groups) && [6, 8, 20].includes(bytes);
}

const digitsOf = (text: string): string => text.replace(/[\s-]+/g, '');

function isIsbn10(text: string): boolean {
  const digits = digitsOf(text);
  if (!/^(?:[0-9]{9}X|[0-9]{10})$/.test(digits)) return false;
  let sum = 0;
  for (let at = 0; at < 10; at++) sum += (at + 1) * (digits[at] === 'X' ? 10 : Number(digits[at]));
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = digitsOf(text);
  if (!/^[0-9]{13}$/.test(digits)) return false;
  let sum = 0;
  for (let at = 0; at < 12; at++) sum += (at % 2 === 0 ? 1 : 3) * Number(digits[at]);
  return Number(digits[12]) === (10 - (sum % 10)) % 10;
}

function isCreditCard(text: string): boolean {
  const digits = text.replace(/[^0-9]+/g, '');
  if (!CREDIT_CARD.test(digits)) return false;
  let sum = 0;
  [...digits].reverse().forEach((digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2);
    sum += value >= 10 ? (value % 10) + 1 : value;
  });
  return sum % 10 === 0;
}

function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!match) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day && month >= 1 && day >= 1;
}

function isDateTime(text: string): boolean {
  const [date = '', time, ...rest] = text.toLowerCase().split('t');
  if (time === undefined || rest.length > 1 || !isDate(date)) return false;
  const match = /^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$/.exec(time);
  return match !== null && Number(match[1]) <= 23 && Number(match[2]) <= 59 && Number(match[3]) <= 59;
}

/** Go's time.ParseDuration, or numbers with units as people write them (`3 days`). */
function isDuration(text: string): boolean {
  if (/^[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$/.test(text)) return true;
  const unit = /^(?:ns|us|\u00b5s|ms|s|m|h|d|w|hr|wk|(?:nano|micro|milli|sec|min|hour|day|week).*)$/i;
  return [...text.matchAll(/\d+\s*([A-Za-z\u00b5]+)/g)].some(([, name = '']) => unit.test(name));
}
