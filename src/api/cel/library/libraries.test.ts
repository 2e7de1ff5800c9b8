import { describe, expect, it } from 'vitest';
import { adaptJson } from '../adapt.ts';
import { Environment } from '../environment.ts';
import { BOOL, DYN } from '../types.ts';
import { type AccessQuestion, AUTHORIZER, authorizerValue } from './authorizer.ts';

const environment = new Environment({ variables: { object: DYN, authorizer: AUTHORIZER } });
const questions: AccessQuestion[] = [];
const authorizer = authorizerValue((question) => {
  questions.push(question);
  return { allowed: question.verb === 'get', reason: 'because' };
});

function run(source: string): unknown {
  const { program, error } = environment.compile(source, { result: [BOOL] });
  if (!program) throw new Error(error);
  const outcome = program.run((name) =>
    name === 'authorizer' ? authorizer : adaptJson({ list: [3, 1, 2] }),
  );
  return outcome.error ?? outcome.value;
}

describe('holds', () => {
  it.each([
    // strings
    '"añ😀b".charAt(2) == "😀" && "añ😀b".indexOf("b") == 3 && "añ😀😀".lastIndexOf("😀") == 3',
    '"hello mellow".indexOf("ello", 2) == 7 && "hello mellow".lastIndexOf("ello", 6) == 1',
    '"tacocat".substring(4) == "cat" && "ta©o©αT".substring(2, 6) == "©o©α"',
    '"TacoCÆt".lowerAscii() == "tacocÆt" && "a".upperAscii() == "A" && " \\t\\u00a0x\\n".trim() == "x"',
    '"aaa".replace("a", "b", 2) == "bba" && "ab".replace("", "-") == "-a-b-" && "ab".replace("", "-", 1) == "-ab"',
    '"a,b,c".split(",") == ["a", "b", "c"] && "a,b,c".split(",", 2) == ["a", "b,c"] && "".split(",") == [""]',
    '["a", "b"].join("-") == "a-b" && [].join() == "" && strings.quote("a\\n\\"") == "\\"a\\\\n\\\\\\"\\""',
    '"%s is %d %x %b %o %X%%".format(["x", dyn(7), dyn(255), dyn(5), dyn(8), dyn("hi")]) == "x is 7 ff 101 10 6869%"',
    '"%s %s".format([{"b": [1], "a": []}, dyn(null)]) == "{\\"a\\":[], \\"b\\":[1]} null"',
    '"%.2f".format([1234.567]) == "1,234.57" && "%f".format([1.0]) == "1.000000"',
    // lists and sets
    '[1, 2, 3].isSorted() && !["b", "a"].isSorted() && [1, 2].sum() == 3 && [1.5, 0.5].min() == 0.5',
    '[duration("1s"), duration("2s")].sum() == duration("3s") && ["a", "b"].max() == "b"',
    'object.list.max() == 3 && object.list.indexOf(1) == 1 && object.list.sort() == [1, 2, 3]',
    '[1, 2, 2, 3].lastIndexOf(2) == 2 && [1, 2, 2].distinct() == [1, 2] && [1, 2].reverse() == [2, 1]',
    '[[1], [2, 3]].flatten() == [1, 2, 3] && [dyn([1]), dyn([[2]])].flatten(2) == [1, 2] && lists.range(3) == [0, 1, 2]',
    '[1, 2, 3, 4].slice(1, 3) == [2, 3] && ["bb", "a"].sortBy(x, x.size()) == ["a", "bb"]',
    'sets.contains([1, 2], [2]) && sets.equivalent([1, 2, 2], [2, 1]) && !sets.intersects([1], [2])',
    // regular expressions
    '"abc 123 de".find("[0-9]+") == "123" && "abc".find("x") == "" && "aXbX".find("a.*?X") == "aX"',
    '"123 abc 456".findAll("[0-9]+") == ["123", "456"] && "aaa".findAll("a", 2) == ["a", "a"]',
    '"abab".findAll("a*") == ["a", "a", ""] && "foobar".findAll("(foo|foobar)") == ["foo"]',
    // URLs
    'url("https://u@example.com:80/a%20b/c?x=1&x=2&y=a+b#f").getHost() == "example.com:80"',
    'url("https://[::1]:80/").getHostname() == "::1" && url("https://example.com:80/").getPort() == "80"',
    'url("/path").getScheme() == "" && url("/a b").getEscapedPath() == "/a%20b"',
    'url("https://x/?k=a&k=b").getQuery() == {"k": ["a", "b"]} && isURL("http://x") && !isURL("x y") && !isURL("a")',
    'url("https://x/") == url("https://x/")',
    // quantities
    'isQuantity("1.3Gi") && !isQuantity("1,3") && quantity("1Mi").isLessThan(quantity("2M"))',
    'quantity("50k").add(quantity("20k")) == quantity("70k") && quantity("50k").sub(20000).asInteger() == 30000',
    'quantity("1500m").asApproximateFloat() == 1.5 && !quantity("1500m").isInteger() && sign(quantity("-1")) == -1',
    'quantity("200M").compareTo(quantity("0.2G")) == 0',
    // addresses
    'isIP("10.0.0.1") && !isIP("10.0.0.01") && !isIP("::ffff:1.2.3.4") && ip("::1").isLoopback()',
    'string(ip("2001:DB8:0:0:0:0:0:68")) == "2001:db8::68" && !ip.isCanonical("2001:DB8::68")',
    'ip("10.0.0.1").family() == 4 && ip("fe80::1").isLinkLocalUnicast() && ip("8.8.8.8").isGlobalUnicast()',
    'cidr("192.168.0.0/24").containsIP("192.168.0.7") && !cidr("192.168.0.0/24").containsIP(ip("10.0.0.1"))',
    'cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16") && cidr("10.1.2.3/8").masked() == cidr("10.0.0.0/8")',
    'cidr("10.0.0.0/8").prefixLength() == 8 && cidr("10.1.2.3/8").ip() == ip("10.1.2.3") && !isCIDR("10.0.0.0/33")',
    'string(cidr("2001:db8::/32")) == "2001:db8::/32" && type(ip("::")) == net.IP',
    // formats
    '!format.dns1123Label().validate("ok").hasValue() && format.dns1123Label().validate("No").value().size() == 1',
    'format.named("uuid").value().validate("x").value() == ["does not match the UUID format"]',
    'format.named("nope").hasValue() == false && !format.dns1035LabelPrefix().validate("a-").hasValue()',
    'format.datetime().validate("2026-13-01T00:00:00Z").hasValue() && !format.date().validate("2026-01-02").hasValue()',
    // semver
    'semver("1.2.3-alpha.1").isLessThan(semver("1.2.3")) && semver("1.10.0").compareTo(semver("1.9.0")) == 1',
    'semver("v1.2", true).patch() == 0 && isSemver("v01.2.3", true) && !isSemver("1.2") && !isSemver("01.2.3")',
    // optionals and two variables
    'optional.ofNonZeroValue("").hasValue() == false && [1, 2].first().value() == 1 && [].last() == optional.none()',
    'optional.unwrap([optional.of(1), optional.none()]) == [1] && [?optional.none(), 2] == [2]',
    '{"a": 1}.exists(k, v, k == "a" && v == 1) && [5].all(i, v, i == 0 && v == 5)',
    '{"a": 1}.transformMapEntry(k, v, {string(v): k}) == {"1": "a"} && {?"x": optional.none()}.size() == 0',
    // authorizer
    'authorizer.group("apps").resource("deployments").subresource("status").namespace("x").name("y").check("get").allowed()',
    '!authorizer.path("/healthz").check("post").allowed()',
    'authorizer.serviceAccount("ns", "sa").group("").resource("pods").check("get").reason() == "because"',
  ])('%s', (source) => {
    expect(run(source)).toBe(true);
  });
});

it('asks the authorizer what the expression says', () => {
  questions.length = 0;
  run(
    'authorizer.serviceAccount("ns", "sa").group("apps").resource("deployments").labelSelector("a=b").check("list").allowed()',
  );
  expect(questions).toEqual([
    {
      verb: 'list',
      group: 'apps',
      resource: 'deployments',
      labelSelector: 'a=b',
      serviceAccount: { namespace: 'ns', name: 'sa' },
    },
  ]);
});

it.each([
  ['"abc".charAt(9) == ""', 'index out of range: 9'],
  ['"abc".substring(3, 1) == ""', 'invalid substring range. start: 3, end: 1'],
  ['object.list.slice(0, 9) == []', 'cannot slice(0, 9), list is length 3'],
  ['[1].filter(x, x > 1).max() == 1', 'max called on empty list'],
  ['quantity("x") == quantity("1")', 'quantities must match the regular expression'],
  ['ip("x").family() == 4', 'IP Address "x" parse error during conversion from string'],
  [
    'url("a b") == url("x")',
    'URL parse error during conversion from string: parse "a b": invalid URI for request',
  ],
  ['authorizer.path(" ").check("get").allowed()', 'path must not be empty'],
  ['authorizer.serviceAccount("x", "_").path("/").check("get").allowed()', 'Invalid service account name'],
  [
    '{"a": 1}.transformMapEntry(k, v, {"x": v}) == {} || [1, 2].transformMapEntry(i, v, {"x": v}) == {}',
    'insert failed: key x already exists',
  ],
  ['"%d".format(["x"]) == ""', 'decimal clause can only be used on integers, was given string'],
])('%s fails', (source, message) => {
  expect(run(source)).toContain(message);
});
