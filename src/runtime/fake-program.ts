import type { ContainerConfig } from './port.ts';

/** What a container of the fake runtime does. Without `exit` it runs until a signal ends it. */
export interface FakeProgram {
  readonly output?: string;
  readonly exit?: { readonly code: number; readonly afterMs: number };
  /** An exit code, `ignore`, or undefined for what the kernel would do. */
  readonly onSignal?: (signal: string) => number | 'ignore' | undefined;
  readonly exec?: (argv: readonly string[]) => { readonly exitCode: number; readonly output: string };
  /** Loopback ports that answer, with an echo. */
  readonly ports?: readonly number[];
  /** Why the process cannot be started. */
  readonly startError?: string;
}

const KNOWN = new Set(['sh', 'sleep', 'echo', 'true', 'false', 'exit', 'trap', ':']);

/**
 * Reads `sh -c` with `;` between `echo …`, `sleep <seconds>`, `exit <code>`, `trap '' TERM`: enough for the same
 * scenario to run here and in a real busybox. Anything else runs for ever.
 */
export function shellProgram(config: Pick<ContainerConfig, 'command' | 'args'>): FakeProgram {
  const argv = [...config.command, ...config.args];
  const [name] = argv;
  if (name === undefined) return {};
  if (!KNOWN.has(name)) return { startError: `exec: "${name}": executable file not found in $PATH` };
  const script = name === 'sh' ? (argv[1] === '-c' ? (argv[2] ?? '') : 'sleep infinity') : argv.join(' ');
  let output = '';
  let afterMs = 0;
  let ignoresTerm = false;
  let code = 0;
  for (const step of script.split(';').map((part) => part.trim())) {
    const [word, rest = ''] = splitFirst(step);
    if (word === 'echo') output += `${rest.replace(/ >&2$/, '')}\n`;
    else if (word === 'trap') ignoresTerm = rest.startsWith("'' TERM") || ignoresTerm;
    else if (word === 'sleep')
      afterMs += rest === 'infinity' ? Number.POSITIVE_INFINITY : Number(rest) * 1000;
    else if (word === 'false') code = 1;
    else if (word === 'exit') {
      code = Number(rest || '0');
      break;
    }
  }
  return {
    output,
    ...(Number.isFinite(afterMs) ? { exit: { code, afterMs } } : {}),
    ...(ignoresTerm
      ? { onSignal: (signal: string) => (signal === 'SIGTERM' ? ('ignore' as const) : undefined) }
      : {}),
  };
}

function splitFirst(text: string): [string, string | undefined] {
  const at = text.indexOf(' ');
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
