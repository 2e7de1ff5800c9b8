import { main } from './cli/program.ts';

main(process.argv.slice(2), process.argv0).then((code) => {
  process.exitCode = code;
});
