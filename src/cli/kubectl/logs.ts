import type { Pod } from '../../api/types.gen.ts';
import { usageFailure } from '../failure.ts';
import { durationMs } from './delete.ts';
import type { Session } from './targets.ts';

/** Prints a container's log; `-f` stays until the container ends. */
export async function logs(session: Session): Promise<number> {
  const { args, connection } = session;
  const pod = podName(args.positionals[1]);
  const query = new URLSearchParams();
  const container = args.get('container') ?? args.positionals[2];
  if (container !== undefined) query.set('container', container);
  if (args.has('follow')) query.set('follow', 'true');
  if (args.has('previous')) query.set('previous', 'true');
  if (args.has('timestamps')) query.set('timestamps', 'true');
  const tail = args.get('tail');
  if (tail !== undefined && tail !== '-1') query.set('tailLines', tail);
  const since = args.get('since');
  if (since !== undefined) query.set('sinceSeconds', String(Math.ceil(durationMs(since) / 1000)));
  const base = `/api/v1/namespaces/${encodeURIComponent(args.get('namespace') ?? connection.namespace)}/pods/${encodeURIComponent(pod)}`;
  if (container === undefined) {
    const { spec } = await connection.json<Pod>('GET', base);
    const names = (spec?.containers ?? []).map(({ name }) => name);
    if (names.length > 1) session.err(`Defaulted container "${names[0]}" out of: ${names.join(', ')}\n`);
    if (names[0] !== undefined) query.set('container', names[0]);
  }
  const stream = await connection.stream(`${base}/log?${query}`, '*/*');
  for await (const chunk of stream) process.stdout.write(chunk as Buffer);
  return 0;
}

export function podName(word: string | undefined): string {
  if (word === undefined) throw usageFailure('say which pod, such as: kedge kubectl logs web-0');
  const match = /^(?:pods?|po)\/(.+)$/.exec(word);
  if (match?.[1] === undefined && word.includes('/'))
    throw usageFailure(`${JSON.stringify(word)}: only pods are understood here`);
  return match?.[1] ?? word;
}
