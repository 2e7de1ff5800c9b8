import {
  dns1035LabelProblems,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  labelKeyProblems,
  labelValueProblems,
  maskTrailingDash,
} from '../../names.ts';
import type { Declaration } from '../declaration.ts';
import { parseTimestamp } from '../time.ts';
import { opaque } from '../types.ts';
import { CelError, ListValue, OpaqueValue, OptionalValue } from '../values.ts';
import { urlProblem } from './urls.ts';

const FORMAT = opaque('kubernetes.NamedFormat');

/** A format that texts can be held against. */
export class FormatValue extends OpaqueValue {
  readonly type = FORMAT;
  readonly name: string;
  readonly problems: (text: string) => readonly string[];
  /** Of the regular expression behind it: what a check costs. */
  readonly patternSize: number;
  constructor(name: string, patternSize: number, problems: (text: string) => readonly string[]) {
    super();
    this.name = name;
    this.patternSize = patternSize;
    this.problems = problems;
  }
  override equals(other: OpaqueValue): boolean {
    return other instanceof FormatValue && this.name === other.name;
  }
}

type Check = (text: string) => readonly string[];
/** Of a name that will get a suffix. */
const prefix =
  (check: Check): Check =>
  (text) =>
    check(maskTrailingDash(text));
const match =
  (problem: string, isFine: (text: string) => boolean): Check =>
  (text) =>
    isFine(text) ? [] : [problem];
const uri: Check = (text) => {
  const problem = urlProblem(text);
  return problem === undefined ? [] : [problem];
};

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function isTime(text: string): boolean {
  try {
    parseTimestamp(text);
    return true;
  } catch (error) {
    if (error instanceof CelError) return false;
    throw error;
  }
}
const isDate = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text) && isTime(`${text}T00:00:00Z`);

const FORMATS: ReadonlyMap<string, FormatValue> = new Map(
  (
    [
      ['dns1123Label', 30, dns1123LabelProblems],
      ['dns1123Subdomain', 60, dns1123SubdomainProblems],
      ['dns1035Label', 30, dns1035LabelProblems],
      ['qualifiedName', 60, labelKeyProblems],
      ['dns1123LabelPrefix', 30, prefix(dns1123LabelProblems)],
      ['dns1123SubdomainPrefix', 60, prefix(dns1123SubdomainProblems)],
      ['dns1035LabelPrefix', 30, prefix(dns1035LabelProblems)],
      ['labelValue', 40, labelValueProblems],
      ['uri', 1103, uri],
      ['uuid', 81, match('does not match the UUID format', (text) => UUID.test(text))],
      ['byte', 84, match('invalid base64', (text) => BASE64.test(text))],
      ['date', 160, match('invalid date', isDate)],
      ['datetime', 160, match('invalid datetime', isTime)],
    ] as const
  ).map(([name, size, check]) => [name, new FormatValue(name, size, check)]),
);

/** Kubernetes' format library. */
export const formatDeclarations = (): readonly Declaration[] => [
  ...[...FORMATS].map(
    ([name, format]): Declaration => [`format.${name}(): kubernetes.NamedFormat`, () => format],
  ),
  [
    'format.named(string): optional<kubernetes.NamedFormat>',
    (name: string) => {
      const format = FORMATS.get(name);
      return format ? new OptionalValue(format) : OptionalValue.NONE;
    },
  ],
  [
    '(kubernetes.NamedFormat).validate(string): optional<list<string>>',
    (format: FormatValue, text: string) => {
      const problems = format.problems(text);
      return problems.length === 0 ? OptionalValue.NONE : new OptionalValue(ListValue.of(problems));
    },
  ],
];
