/** Field selectors: `status.phase!=Running,spec.nodeName=a`, as k8s.io/apimachinery/pkg/fields. */
import { LIMITS } from '../lib/limits.ts';
import { SelectorError } from './labels.ts';

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** A parsed field selector; all requirements must hold. Immutable. */
export class FieldSelector {
  readonly requirements: readonly FieldRequirement[];

  constructor(requirements: readonly FieldRequirement[]) {
    this.requirements = requirements;
  }

  get isEverything(): boolean {
    return this.requirements.length === 0;
  }

  /** `read` gives the object's value of a field; absent counts as empty. */
  matches(read: (field: string) => string | undefined): boolean {
    return this.requirements.every(
      ({ field, operator, value }) => ((read(field) ?? '') === value) === (operator === '='),
    );
  }

  /** The value this field must have, where the selector requires one: `metadata.name=x` makes a list a get. */
  exactMatch(field: string): string | undefined {
    return this.requirements.find((one) => one.field === field && one.operator === '=')?.value;
  }

  toString(): string {
    return this.requirements
      .map(({ field, operator, value }) => `${field}${operator}${value.replace(/[\\,=]/g, '\\$&')}`)
      .join(',');
  }
}

export const ALL_FIELDS = new FieldSelector([]);

/**
 * Reads a field selector. `isSupported` says which fields the resource can select by; without it any may be
 * named. Throws {@link SelectorError} in upstream's words; the request ends in 400.
 */
export function parseFieldSelector(text: string, isSupported?: (field: string) => boolean): FieldSelector {
  if (text === '') return ALL_FIELDS;
  if (text.length > LIMITS.api.selectorChars) {
    throw new SelectorError(`selector must be no more than ${LIMITS.api.selectorChars} characters`);
  }
  const terms = splitTerms(text).filter((term) => term !== '');
  const requirements = terms.sort().map((term) => {
    const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
    if (match === null) throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`);
    const [, field = '', operator, value = ''] = match;
    const plain = unescapeValue(value);
    if (isSupported !== undefined && !isSupported(field)) {
      throw new SelectorError(`field label not supported: ${field}`);
    }
    return { field, operator: operator === '!=' ? '!=' : '=', value: plain } as const;
  });
  return new FieldSelector(requirements);
}

/**
 * The one name that a list, watch or deletecollection with this field selector is about, empty where it is about
 * several or cannot be read: such a request is authorized like one for that object.
 */
export function selectedName(fieldSelector: string | undefined): string {
  if (!fieldSelector) return '';
  try {
    return parseFieldSelector(fieldSelector).exactMatch('metadata.name') ?? '';
  } catch {
    // The request will be refused for it later, in words that say what is wrong.
    return '';
  }
}

/** Splits at commas that no backslash protects. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === ',') {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function unescapeValue(text: string): string {
  return text.replace(/\\(.?)|[,=]/gsu, (found, escaped: string | undefined) => {
    if (escaped === undefined) {
      // Upstream prints the code point here, not the character.
      throw new SelectorError(
        `invalid field selector: unescaped character in value: ${found.codePointAt(0)}`,
      );
    }
    if (escaped !== '' && '\\,='.includes(escaped)) return escaped;
    throw new SelectorError(`invalid field selector: invalid escape sequence: ${found}`);
  });
}
