import type { Command } from '../command.ts';
import { CLUSTER_FLAGS, CREATE_FLAGS, LIST_FLAGS } from './flags.ts';

const subcommands: readonly Command[] = [
  {
    name: 'create',
    describe: 'Make a token with which boards can join for a while',
    about:
      'Makes a bootstrap token: the one given (as kedge token generate prints it), or a new one. What it prints is\n' +
      'what kedge agent --token takes: it also says which server may be trusted.',
    examples: [
      ['kedge token create --ttl 1h --description "new greenhouse boards"', 'good for an hour'],
      ['kedge token create --print-join-command', 'print what to run on the other board'],
    ],
    flags: CREATE_FLAGS,
    operands: { usage: '[token]', atLeast: 0, atMost: 1 },
    run: async (values, operands) => (await import('./run.ts')).createToken(values, operands),
  },
  {
    name: 'list',
    describe: 'Show the tokens there are',
    about: 'Shows bootstrap tokens; the tokens of the cluster itself are files, <data-dir>/server/*token.',
    examples: [],
    flags: LIST_FLAGS,
    run: async (values) => (await import('./run.ts')).listTokens(values),
  },
  {
    name: 'delete',
    describe: 'Take tokens away; boards that joined with them stay',
    about: 'Deletes bootstrap tokens, named by their first six characters or in whole.',
    examples: [['kedge token delete abcdef', 'that one']],
    flags: CLUSTER_FLAGS,
    operands: { usage: '<token>…', atLeast: 1, atMost: 100 },
    run: async (values, operands) => (await import('./run.ts')).deleteTokens(values, operands),
  },
  {
    name: 'generate',
    describe: 'Print a new token without making it',
    about: 'Prints a random token for kedge token create, or for a manifest. Needs no cluster.',
    examples: [],
    flags: {},
    run: async () => (await import('./run.ts')).generateToken(),
  },
];

export const tokenCommand: Command = {
  name: 'token',
  describe: 'Manage tokens with which boards join',
  about: 'Tokens for boards that join, besides the two that the cluster has from the start.',
  examples: [],
  flags: {},
  subcommands,
};
