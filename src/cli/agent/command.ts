import type { Command } from '../command.ts';
import { agentConfig } from './config.ts';
import { AGENT_FLAGS } from './flags.ts';

export const agentCommand: Command = {
  name: 'agent',
  describe: 'Run pods on this board for a server on another one',
  about:
    'Joins the cluster of a server and runs the pods that are bound to this node. Once it has joined, a board needs\n' +
    'neither the token nor the server to start its pods. SIGTERM stops it and leaves containers running. Every flag\n' +
    'may also stand in the configuration file, without the dashes, or in the environment as KEDGE_<FLAG>, the\n' +
    "server's address as KEDGE_URL.",
  examples: [
    ['kedge agent --server https://192.168.1.7:6443 --token K10…', 'join a cluster, and stay in it'],
    ['kedge agent', 'go on in the cluster that this board has joined'],
  ],
  flags: AGENT_FLAGS,
  configurable: true,
  async run(values) {
    const config = agentConfig(values);
    const { runAgent } = await import('./run.ts');
    return await runAgent(config);
  },
};
