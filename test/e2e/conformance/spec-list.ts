import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a spec needs: an API server and controllers, pods that run, their network, webhooks, several nodes. */
export type Needs = 'api' | 'pod' | 'net' | 'webhook' | 'multi';

export interface Spec {
  readonly needs: Needs;
  /** How it ended when it last ran with `--record`; `-` where no test covers it. */
  result: 'pass' | 'fail' | '-';
  readonly sig: string;
  /** The official name without `[sig-…]` and `[Conformance]`. */
  readonly name: string;
  /** Why it fails or is not covered, where that is not plain. */
  why: string;
}

const FILE = join(import.meta.dirname, 'specs.tsv');
const HEADER = 'needs\tresult\tsig\tspec\twhy';
/** Tags that stand behind `[Conformance]` in an official name. */
const LATE_TAGS = /(?: \[(?:NodeConformance|Serial|Slow|Disruptive)\])+$/;

/** All conformance specs of Kubernetes 1.37, sorted by sig and name. */
export function readSpecs(): Spec[] {
  const [header, ...lines] = readFileSync(FILE, 'utf8').trimEnd().split('\n');
  if (header !== HEADER) throw new Error(`${FILE}: unknown columns`);
  return lines.map((line) => {
    const [needs, result, sig = '', name = '', why = ''] = line.split('\t');
    return { needs: needs as Needs, result: result as Spec['result'], sig, name, why };
  });
}

export function writeSpecs(specs: readonly Spec[]): void {
  const lines = specs.map((spec) => [spec.needs, spec.result, spec.sig, spec.name, spec.why].join('\t'));
  writeFileSync(FILE, `${[HEADER, ...lines].join('\n')}\n`);
}

/** The name under which upstream's suite reports the spec. */
export function officialName({ sig, name }: Pick<Spec, 'sig' | 'name'>): string {
  const late = LATE_TAGS.exec(name)?.[0] ?? '';
  return `[${sig}] ${name.slice(0, name.length - late.length)} [Conformance]${late}`;
}
