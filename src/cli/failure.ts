/** Ends the program with one line on standard error and an exit code. The message says what to do. */
export class Failure extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Failure';
    this.exitCode = exitCode;
  }
}

/** The command line or the configuration is wrong; nothing was done. */
export function usageFailure(message: string): Failure {
  return new Failure(message, 2);
}
