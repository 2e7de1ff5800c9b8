import { describe, expect, it } from 'vitest';
import {
  configMapKey,
  dns1035Label,
  dnsLabel,
  dnsSubdomain,
  labelValue,
  maskTrailingDash,
  pathSegment,
  qualifiedName,
} from './names.ts';

describe('names', () => {
  it('accepts what upstream accepts', () => {
    expect(dnsSubdomain('a.b-c.d')).toEqual([]);
    expect(dnsLabel('a-1')).toEqual([]);
    expect(dns1035Label('a-1')).toEqual([]);
    expect(qualifiedName('example.com/My_name')).toEqual([]);
    expect(labelValue('')).toEqual([]);
    expect(configMapKey('..2x'.slice(2))).toEqual([]);
    expect(pathSegment('system:node')).toEqual([]);
  });
  it('words the refusals as upstream does', () => {
    expect(dnsSubdomain('Bad_Name')).toEqual([
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ]);
    expect(dnsLabel('a.b')).toEqual(['must not contain dots']);
    expect(dnsLabel('a'.repeat(64))).toEqual(['must be no more than 63 bytes']);
    expect(dns1035Label('1a')[0]).toContain('DNS-1035');
    expect(qualifiedName('/x')).toEqual(['prefix part must be non-empty']);
    expect(qualifiedName('a/b/c')[0]).toContain('a valid label key must consist');
    expect(labelValue('-a')[0]).toContain("(e.g. 'MyValue',  or 'my_value',  or '12345', regex used");
    expect(configMapKey('..')).toEqual(["must not be '..'"]);
    expect(pathSegment('a/b%')).toEqual(["may not contain '/'", "may not contain '%'"]);
  });
  it('lets a generateName end in a dash', () => {
    expect(dnsSubdomain(maskTrailingDash('web-'))).toEqual([]);
  });
});
