import type { Command } from '../command.ts';
import { serverConfig } from './config.ts';
import { SERVER_FLAGS } from './flags.ts';

export const serverCommand: Command = {
  name: 'server',
  describe: 'Run the cluster on this board: API server, scheduler, controllers and node agent',
  about:
    'Runs API server, scheduler, controllers and, unless --disable-agent is given, the node agent, in one process.\n' +
    'The first start makes certificates and a kubeconfig. SIGTERM stops it and leaves containers running; the\n' +
    'next start finds them again. Every flag may also stand in the configuration file, without the dashes, or in\n' +
    'the environment as KEDGE_<FLAG>.',
  examples: [
    ['kedge server', 'a whole cluster on this board'],
    ['kedge server --tls-san board.example.org', 'one that is also reached by that name'],
    [
      'kedge server --disable-agent --data-dir ./data --state-dir ./run --write-kubeconfig ./kubeconfig',
      'only the API, not as root',
    ],
  ],
  flags: SERVER_FLAGS,
  configurable: true,
  async run(values) {
    const config = serverConfig(values);
    const { runServer } = await import('./run.ts');
    return await runServer(config);
  },
};
