import { expect, it } from 'vitest';
import { ensureWorkingFolder } from './working-folder.ts';

/** What is done in a folder that is there, or not. */
function done(cwd: () => string): string[] {
  const seen: string[] = [];
  const chdir = (folder: string): void => void seen.push(`cd ${folder}`);
  ensureWorkingFolder({ process: { cwd, chdir }, say: (text) => void seen.push(text) });
  return seen;
}

it('stays where it is', () => {
  expect(done(() => '/root')).toEqual([]);
});

it('leaves a folder that was deleted, and says so', () => {
  const gone = (): never => {
    throw new Error('ENOENT: process.cwd failed');
  };
  expect(done(gone)).toEqual([
    'cd /',
    'kedge: the current folder does not exist any more, going on from /\n',
  ]);
});
