/** One line of `ctr tasks list`. */
export interface Task {
  readonly id: string;
  readonly pid: number;
  readonly status: string;
}

/** Parses the table that `ctr tasks list` prints. */
export function parseTaskList(text: string): readonly Task[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns.length >= 3)
    .map(([id = '', pid, status = '']) => ({ id, pid: Number(pid), status }));
}

/** The exit code that `ctr tasks delete` reports: only a code other than 0 is mentioned, as a warning. */
export function parseDeletedExitCode(id: string, stderr: string): number {
  const found = [...stderr.matchAll(/task (\S+) exit with non-zero exit code (\d+)/g)].find(
    ([, task]) => task === id,
  );
  return Number(found?.[2] ?? 0);
}
