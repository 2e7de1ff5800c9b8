import { describe, expect, it } from 'vitest';
import {
  configMapKeyProblems,
  dns1035LabelProblems,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  labelKeyProblems,
  labelValueProblems,
  maskTrailingDash,
  pathSegmentProblems,
} from './names.ts';

describe('names', () => {
  it('accepts what upstream accepts', () => {
    expect(dns1123SubdomainProblems('a.b-c.d')).toEqual([]);
    expect(dns1123LabelProblems('a-1')).toEqual([]);
    expect(dns1035LabelProblems('a-1')).toEqual([]);
    expect(labelKeyProblems('example.com/My_name')).toEqual([]);
    expect(labelValueProblems('')).toEqual([]);
    expect(configMapKeyProblems('..2x'.slice(2))).toEqual([]);
    expect(pathSegmentProblems('system:node')).toEqual([]);
  });
  it('words the refusals as upstream does', () => {
    expect(dns1123SubdomainProblems('Bad_Name')).toEqual([
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ]);
    expect(dns1123LabelProblems('a.b')).toEqual(['must not contain dots']);
    expect(dns1123LabelProblems('a'.repeat(64))).toEqual(['must be no more than 63 characters']);
    expect(dns1035LabelProblems('1a')[0]).toContain('DNS-1035');
    expect(labelKeyProblems('/x')).toEqual(['prefix part must be non-empty']);
    expect(labelKeyProblems('a/b/c')[0]).toContain('a valid label key must consist');
    expect(labelValueProblems('-a')[0]).toContain("(e.g. 'MyValue',  or 'my_value',  or '12345', regex used");
    expect(configMapKeyProblems('..')).toEqual(["must not be '..'"]);
    expect(pathSegmentProblems('a/b%')).toEqual(["may not contain '/'", "may not contain '%'"]);
  });
  it('lets a generateName end in a dash', () => {
    expect(dns1123SubdomainProblems(maskTrailingDash('web-'))).toEqual([]);
  });
});
