import { tuneAllocator } from './cli/allocator.ts';

const argv = process.argv.slice(2);
tuneAllocator(argv);
// Loaded only now, since the line above may start the process anew.
import('./cli/program.ts')
  .then(({ main }) => main(argv, process.argv0))
  .then((code) => {
    process.exitCode = code;
  });
