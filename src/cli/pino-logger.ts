// The real logger: one JSON line an event on standard error, by pino. Each line names its module, the
// place in the source that said it, the thread when it is not the main one, and the request that it was
// said for (base/request-scope.ts). Fields whose names say that they hold a secret are cut before they
// are written (R6).

import { type Logger as Pino, pino } from 'pino';
import { LogLevels, levelTable } from '#base/log-levels.ts';
import type { LogFields, Logger, LogLevel } from '#base/logger.ts';
import { currentRequestId } from '#base/request-scope.ts';
import type { RecentLines } from './support/recent-lines.ts';

const SECRET_FIELDS = ['passkey', 'password', 'token', 'cookie', 'secret', 'authorization'];
/** Who asks for the place, and the logger's own function. */
const OWN_FRAMES = 2;
const PLACE = /^.*\/(?:src|dist)\/(.+:\d+):\d+\)?$/;

export interface LoggerWorld {
  readonly levels: LogLevels;
  /** Gets a copy of each line. */
  readonly lines?: RecentLines;
  /** Of this thread; the main one has no name. */
  readonly thread?: string;
}

export function pinoLogger(how: LogLevel | LoggerWorld): Logger {
  const world = typeof how === 'string' ? { levels: new LogLevels(levelTable(how, [])) } : how;
  const { levels, lines, thread } = world;
  const destination = pino.destination({ fd: 2, sync: true });
  const write = (line: string): void => {
    destination.write(line);
    lines?.push(line);
  };
  const root = pino(
    {
      // What is not wanted is left out before it comes here.
      level: 'debug',
      base: thread === undefined ? null : { thread },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => {
        const requestId = currentRequestId();
        return requestId === undefined ? {} : { requestId };
      },
      redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: '[cut]' },
    },
    { write },
  );
  return wrap(root, levels, '');
}

/** `module` is the path of those it was made for: `tracker/baselines`. */
function wrap(root: Pino, levels: LogLevels, module: string): Logger {
  const target = module === '' ? root : root.child({ module });
  levels.levelOf(module);
  const say = (level: LogLevel) => {
    const said = (message: string, fields: LogFields = {}): void => {
      if (levels.isWritten(module, level))
        target[level]({ place: placeOfCaller(), ...fields }, message);
    };
    return said;
  };
  return {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    // Made from the root: a child of a child would write the name twice.
    for: (name) => wrap(root, levels, module === '' ? name : `${module}/${name}`),
  };
}

/** File and line below src/ of whoever called the logger: `log/local-log.ts:95`. */
function placeOfCaller(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = OWN_FRAMES + 1;
  const { stack = '' } = new Error('place');
  Error.stackTraceLimit = limit;
  const frame = stack.split('\n')[OWN_FRAMES + 1] ?? '';
  return PLACE.exec(frame)?.[1] ?? 'unknown';
}
