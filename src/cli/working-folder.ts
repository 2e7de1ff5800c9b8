/**
 * Goes on from `/` where the current folder was deleted: parts of Node and of the argument parser fail without one, in
 * words that help nobody. Says so, since relative paths mean something else then.
 */
export function ensureWorkingFolder({
  process: { cwd, chdir },
  say,
}: {
  readonly process: { cwd(): string; chdir(folder: string): void };
  readonly say: (text: string) => void;
}): void {
  try {
    cwd();
  } catch {
    chdir('/');
    say('kedge: the current folder does not exist any more, going on from /\n');
  }
}
