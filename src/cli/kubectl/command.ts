import { ApiError } from '../../api/status.ts';
import type { Command } from '../command.ts';
import { Failure, usageFailure } from '../failure.ts';
import { nearest } from '../nearest.ts';
import { apply } from './apply.ts';
import { parseKubectlArgs } from './args.ts';
import { connect } from './connection.ts';
import { deleteObjects } from './delete.ts';
import { describe } from './describe.ts';
import { exec } from './exec.ts';
import { get } from './get.ts';
import { logs } from './logs.ts';
import { rollout } from './rollout.ts';
import { scale } from './scale.ts';
import { createSession, type Session } from './targets.ts';

const SUBCOMMANDS: Readonly<Record<string, { about: string; run: (session: Session) => Promise<number> }>> = {
  get: { about: 'get pods | deploy/web | all [-n ns | -A] [-l k=v] [-o wide|yaml|json|name] [-w]', run: get },
  describe: { about: 'describe pod web', run: describe },
  apply: { about: 'apply -f file|folder|- [--force-conflicts] [--dry-run]', run: apply },
  delete: { about: 'delete pod web | -f file [--grace-period=N] [--wait=false]', run: deleteObjects },
  logs: { about: 'logs pod [-c container] [-f] [-p] [--tail=N] [--since=5m] [--timestamps]', run: logs },
  exec: { about: 'exec [-it] pod [-c container] -- command', run: exec },
  rollout: { about: 'rollout status deploy/web [--timeout=60s]', run: rollout },
  scale: { about: 'scale deploy/web --replicas=3', run: scale },
};

export const kubectlCommand: Command = {
  name: 'kubectl',
  describe: 'Look at and change the cluster: a small built-in kubectl',
  about: '',
  examples: [],
  flags: {},
  async runRaw(argv) {
    const args = parseKubectlArgs(argv);
    const [name] = args.positionals;
    if (name === undefined || args.has('help')) {
      process.stdout.write(help());
      return name === undefined && !args.has('help') ? 2 : 0;
    }
    const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
    if (subcommand === undefined) {
      const near = nearest(name, Object.keys(SUBCOMMANDS));
      throw usageFailure(
        `unknown command ${JSON.stringify(name)} for kedge kubectl${near === undefined ? '' : `; did you mean ${near}?`}`,
      );
    }
    const connection = await connect(args.get('kubeconfig'));
    try {
      return await subcommand.run(createSession(connection, args));
    } catch (error) {
      if (error instanceof ApiError)
        throw new Failure(`Error from server (${error.reason}): ${error.message}`, 1, { cause: error });
      throw error;
    } finally {
      connection.close();
    }
  },
};

function help(): string {
  const rows = Object.values(SUBCOMMANDS).map(({ about }) => `  kedge kubectl ${about}`);
  return [
    'A small kubectl, so that a board needs nothing else. Any stock kubectl works as well:',
    'export KUBECONFIG=/etc/kedge/kedge.yaml',
    '',
    ...rows,
    '',
    'The kubeconfig is --kubeconfig, $KUBECONFIG, /etc/kedge/kedge.yaml or ~/.kube/config.',
    '',
  ].join('\n');
}
