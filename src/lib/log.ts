export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[];

export type LogFields = Readonly<Record<string, unknown>>;

/** Structured, one line a record. Never give it a credential. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same logger with `component` set. */
  child(component: string): Logger;
}

export interface LogOptions {
  level: LogLevel;
  component?: string;
  write?: (line: string) => void;
}

/** logfmt lines: `time=… level=info component=agent msg="…" pod=default/web`. */
export function createLogger(options: LogOptions): Logger {
  const { level, component = 'kedge', write = (line) => process.stderr.write(line) } = options;
  const floor = LOG_LEVELS.indexOf(level);
  const at =
    (name: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LOG_LEVELS.indexOf(name) < floor) return;
      let line = `time=${new Date().toISOString()} level=${name} component=${component} msg=${value(message)}`;
      for (const [key, field] of Object.entries(fields)) {
        if (field !== undefined) line += ` ${key}=${value(field)}`;
      }
      write(`${line}\n`);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (name) => createLogger({ level, component: name, write }),
  };
}

export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};

function value(field: unknown): string {
  const text =
    field instanceof Error ? errorText(field) : typeof field === 'string' ? field : JSON.stringify(field);
  return /^[\w./:@+-]+$/.test(text ?? '') ? (text ?? '') : JSON.stringify(text ?? 'null');
}

/** The message and those of its causes, without repeating one that already contains the next. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at !== undefined && at !== null && parts.length < 8; ) {
    const text = at instanceof Error ? at.message : String(at);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(': ');
}
