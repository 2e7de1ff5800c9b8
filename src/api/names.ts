/**
 * Validators of names, labels and other small formats. Each returns what is wrong in upstream's own sentences
 * (k8s.io/apimachinery/pkg/util/validation), nothing when the value is fine.
 */

export type Problems = readonly string[];

const NONE: Problems = [];

function regexProblem(message: string, pattern: string, ...examples: readonly string[]): string {
  // Upstream's own joint: `'my-name',  or '123-abc', regex used …`, two blanks and all.
  const shown = examples.map((example) => `'${example}', `).join(' or ');
  return `${message} (${examples.length === 0 ? '' : `e.g. ${shown}`}regex used for validation is '${pattern}')`;
}

const tooManyCharacters = (max: number): string => `must be no more than ${max} characters`;
const tooManyBytes = (max: number): string => `must be no more than ${max} bytes`;
const byteLength = (value: string): number => Buffer.byteLength(value);
/** Nobody asks for groups, and keeping them costs. */
const anchored = (pattern: string): RegExp => new RegExp(`^(?:${pattern.replaceAll('(', '(?:')})$`);

/** `must be between 1 and 65535, inclusive` */
export const inclusiveRange = (low: number, high: number): string =>
  `must be between ${low} and ${high}, inclusive`;

const LABEL_1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN_1123 = `${LABEL_1123}(\\.${LABEL_1123})*`;
const LABEL_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const WILDCARD = `\\*\\.${SUBDOMAIN_1123}`;
const NAME_PART = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_VALUE = `(${NAME_PART})?`;
const label1123Regex = anchored(LABEL_1123);
const subdomain1123Regex = anchored(SUBDOMAIN_1123);
const label1035Regex = anchored(LABEL_1035);
const wildcardRegex = anchored(WILDCARD);
const namePartRegex = anchored(NAME_PART);
const labelValueRegex = anchored(LABEL_VALUE);

const DNS_LABEL_MAX_BYTES = 63;
const DNS_SUBDOMAIN_MAX_BYTES = 253;

/** RFC 1123 label: names of namespaces, containers, ports' volumes … */
export function dns1123LabelProblems(value: string): Problems {
  if (value.length <= DNS_LABEL_MAX_BYTES && label1123Regex.test(value)) return NONE;
  const problems: string[] = [];
  if (byteLength(value) > DNS_LABEL_MAX_BYTES) problems.push(tooManyCharacters(DNS_LABEL_MAX_BYTES));
  if (!label1123Regex.test(value)) {
    problems.push(
      subdomain1123Regex.test(value)
        ? 'must not contain dots'
        : regexProblem(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
            LABEL_1123,
            'my-name',
            '123-abc',
          ),
    );
  }
  return problems;
}

/** RFC 1123 subdomain: names of most objects. */
export function dns1123SubdomainProblems(value: string): Problems {
  if (value.length <= DNS_SUBDOMAIN_MAX_BYTES && subdomain1123Regex.test(value)) return NONE;
  const problems: string[] = [];
  if (byteLength(value) > DNS_SUBDOMAIN_MAX_BYTES) problems.push(tooManyCharacters(DNS_SUBDOMAIN_MAX_BYTES));
  if (!subdomain1123Regex.test(value)) {
    problems.push(
      regexProblem(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        SUBDOMAIN_1123,
        'example.com',
      ),
    );
  }
  return problems;
}

/** RFC 1035 label: names of Services. */
export function dns1035LabelProblems(value: string): Problems {
  const problems: string[] = [];
  if (byteLength(value) > DNS_LABEL_MAX_BYTES) problems.push(tooManyCharacters(DNS_LABEL_MAX_BYTES));
  if (!label1035Regex.test(value)) {
    problems.push(
      regexProblem(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
        LABEL_1035,
        'my-name',
        'abc-123',
      ),
    );
  }
  return problems;
}

/** `*.example.com`, as Ingress hosts may be. */
export function wildcardDns1123SubdomainProblems(value: string): Problems {
  const problems: string[] = [];
  if (byteLength(value) > DNS_SUBDOMAIN_MAX_BYTES) problems.push(tooManyCharacters(DNS_SUBDOMAIN_MAX_BYTES));
  if (!wildcardRegex.test(value)) {
    problems.push(
      regexProblem(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
        WILDCARD,
        '*.example.com',
      ),
    );
  }
  return problems;
}

/** A name that only has to fit into a URL: RBAC objects. */
export function pathSegmentProblems(value: string): Problems {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  return ['/', '%'].filter((part) => value.includes(part)).map((part) => `may not contain '${part}'`);
}

/** Key of a label or annotation, taint, condition type: `[prefix/]name`. Also upstream's "qualified name". */
export function labelKeyProblems(value: string): Problems {
  if (value.length <= DNS_LABEL_MAX_BYTES && namePartRegex.test(value)) return NONE;
  const charset = regexProblem(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    NAME_PART,
    'MyName',
    'my.name',
    '123-abc',
  );
  const parts = value.split('/');
  if (parts.length > 2) {
    return [
      `a valid label key ${charset} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const problems: string[] = [];
  const name = parts.at(-1) ?? '';
  if (parts.length === 2) {
    const prefix = parts[0] ?? '';
    if (prefix === '') problems.push('prefix part must be non-empty');
    else problems.push(...dns1123SubdomainProblems(prefix).map((problem) => `prefix part ${problem}`));
  }
  if (name === '') problems.push('name part must be non-empty');
  else if (byteLength(name) > DNS_LABEL_MAX_BYTES) {
    problems.push(`name part ${tooManyBytes(DNS_LABEL_MAX_BYTES)}`);
  }
  if (!namePartRegex.test(name)) problems.push(`name part ${charset}`);
  return problems;
}

/** Value of a label; may be empty. */
export function labelValueProblems(value: string): Problems {
  if (value.length <= DNS_LABEL_MAX_BYTES && labelValueRegex.test(value)) return NONE;
  const problems: string[] = [];
  if (byteLength(value) > DNS_LABEL_MAX_BYTES) problems.push(tooManyBytes(DNS_LABEL_MAX_BYTES));
  if (!labelValueRegex.test(value)) {
    problems.push(
      regexProblem(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        LABEL_VALUE,
        'MyValue',
        'my_value',
        '12345',
      ),
    );
  }
  return problems;
}

/** Name of a port (RFC 6335): `http`, `metrics-2`. */
export function portNameProblems(value: string): Problems {
  const problems: string[] = [];
  if (byteLength(value) > 15) problems.push(tooManyCharacters(15));
  if (!/^[-a-z0-9]+$/.test(value)) {
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(value)) problems.push('must contain at least one letter (a-z)');
  if (value.includes('--')) problems.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) problems.push('must not begin or end with a hyphen');
  return problems;
}

export function portNumberProblems(value: number): Problems {
  return Number.isInteger(value) && value >= 1 && value <= 65535 ? NONE : [inclusiveRange(1, 65535)];
}

/** `25%` */
export function percentProblems(value: string): Problems {
  if (/^[0-9]+%$/.test(value)) return NONE;
  const message = "a valid percent string must be a numeric string followed by an ending '%'";
  return [regexProblem(message, '[0-9]+%', '1%', '93%')];
}

export function httpHeaderNameProblems(value: string): Problems {
  if (/^[-A-Za-z0-9]+$/.test(value)) return NONE;
  return [
    regexProblem(
      "a valid HTTP header must consist of alphanumeric characters or '-'",
      '[-A-Za-z0-9]+',
      'X-Header-Name',
    ),
  ];
}

/** Environment variable names as Kubernetes 1.34 and later allow them: printable ASCII without `=`. */
export function envVarNameProblems(value: string): Problems {
  const problems: string[] = [];
  if (value === '') problems.push('environment variable name must be non-empty');
  if (!/^[\x20-\x3c\x3e-\x7e]*$/.test(value)) {
    problems.push(
      "a valid environment variable name must consist only of printable ASCII characters other than '='",
    );
  }
  return problems;
}

/** Key of a ConfigMap or Secret: a safe file name. */
export function configMapKeyProblems(value: string): Problems {
  const problems: string[] = [];
  if (byteLength(value) > DNS_SUBDOMAIN_MAX_BYTES) problems.push(tooManyCharacters(DNS_SUBDOMAIN_MAX_BYTES));
  if (!/^[-._a-zA-Z0-9]+$/.test(value)) {
    const message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    problems.push(regexProblem(message, '[-._a-zA-Z0-9]+', 'key.name', 'KEY_NAME', 'key-name'));
  }
  return [...problems, ...parentDirectoryProblems(value)];
}

function parentDirectoryProblems(value: string): Problems {
  if (value === '.' || value === '..') return [`must not be '${value}'`];
  return value.startsWith('..') ? ["must not start with '..'"] : NONE;
}

/**
 * A `generateName` as a name to validate: the server appends random characters, so one dash at the end is fine.
 */
export function maskTrailingDash(generateName: string): string {
  return generateName.length > 1 && generateName.endsWith('-')
    ? `${generateName.slice(0, -1)}a`
    : generateName;
}
