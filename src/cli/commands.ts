import { agentCommand } from './agent/command.ts';
import { backupCommand, restoreCommand } from './backup/command.ts';
import { checkConfigCommand } from './check-config/command.ts';
import type { Command } from './command.ts';
import { kubectlCommand } from './kubectl/command.ts';
import { serverCommand } from './server/command.ts';
import { tokenCommand } from './token/command.ts';

/** Every command of `kedge`, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  serverCommand,
  agentCommand,
  tokenCommand,
  kubectlCommand,
  checkConfigCommand,
  backupCommand,
  restoreCommand,
];
