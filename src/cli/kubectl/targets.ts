import { usageFailure } from '../failure.ts';
import type { KubectlArgs } from './args.ts';
import type { Connection } from './connection.ts';
import { type ApiResource, discover, findResource, findResources } from './discovery.ts';

/** What every subcommand works with. */
export interface Session {
  readonly connection: Connection;
  readonly args: KubectlArgs;
  /** Fetched once, on first use. */
  resources(): Promise<readonly ApiResource[]>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

export function createSession(connection: Connection, args: KubectlArgs): Session {
  let known: Promise<readonly ApiResource[]> | undefined;
  return {
    connection,
    args,
    resources() {
      known ??= discover(connection);
      return known;
    },
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  };
}

/** A type and, where the user named them, objects of it. */
export interface Target {
  readonly resource: ApiResource;
  readonly names: readonly string[];
}

/** `pods`, `pod web`, `deploy/web svc/web`, `deploy,svc`: the ways kubectl takes to say what is meant. */
export async function targetsOf(session: Session, words: readonly string[]): Promise<Target[]> {
  if (words.length === 0) throw usageFailure('say which resource, such as: kedge kubectl get pods');
  const all = await session.resources();
  if (words.some((word) => word.includes('/'))) {
    return words.map((word) => {
      const [type = '', name = '', ...more] = word.split('/');
      if (type === '' || name === '' || more.length > 0)
        throw usageFailure(`${JSON.stringify(word)} is not of the form type/name`);
      return { resource: findResource(all, type), names: [name] };
    });
  }
  const [types = '', ...names] = words;
  return findResources(all, types).map((resource) => ({ resource, names }));
}

/** The namespace to work in; `undefined` for all of them. */
export function namespaceOf(session: Session): string | undefined {
  return session.args.has('all-namespaces')
    ? undefined
    : (session.args.get('namespace') ?? session.connection.namespace);
}

/** Query string of the selectors given. */
export function selectors(args: KubectlArgs, more: Record<string, string> = {}): string {
  const query = new URLSearchParams(more);
  const label = args.get('selector');
  const field = args.get('field-selector');
  if (label !== undefined) query.set('labelSelector', label);
  if (field !== undefined) query.set('fieldSelector', field);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
