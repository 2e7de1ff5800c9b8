import { tuneAllocator } from './cli/allocator.ts';
import { ensureWorkingFolder } from './cli/working-folder.ts';

const argv = process.argv.slice(2);
ensureWorkingFolder({ process, say: (text) => process.stderr.write(text) });
tuneAllocator(argv);
// Loaded only now, since the line above may start the process anew.
import('./cli/program.ts')
  .then(({ main }) => main(argv, process.argv0))
  .then((code) => {
    process.exitCode = code;
  });
