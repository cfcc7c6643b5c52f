// What a room says to the operator. Each line names module and place; no secret is ever passed in.
// cli builds one over pino; tests use `silentLogger` or `memoryLogger`.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same logger with the module's name on each line: `tracker/udp`. */
  for(module: string): Logger;
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  for: () => silentLogger,
};

export interface LogLine {
  readonly level: LogLevel;
  readonly module: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** Keeps every line in `lines`, for tests that prove something was (or was not) said. */
export function memoryLogger(lines: LogLine[], module = ''): Logger {
  const say =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      lines.push({ level, module, message, fields });
    };
  return {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    for: (name) => memoryLogger(lines, name),
  };
}
