// The real logger: one JSON line an event on standard error, by pino. Each line names its module.
// Fields whose names say that they hold a secret are cut before they are written (R6).

import { type Logger as Pino, pino } from 'pino';
import type { LogFields, Logger, LogLevel } from '#base/logger.ts';

const SECRET_FIELDS = ['passkey', 'password', 'token', 'cookie', 'secret', 'authorization'];

export function pinoLogger(level: LogLevel): Logger {
  const root = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: '[cut]' },
    },
    pino.destination({ fd: 2, sync: true }),
  );
  return wrap(root, '');
}

/** `module` is the path of those it was made for: `tracker/baselines`. */
function wrap(root: Pino, module: string): Logger {
  const target = module === '' ? root : root.child({ module });
  return {
    debug: (message, fields: LogFields = {}) => target.debug(fields, message),
    info: (message, fields: LogFields = {}) => target.info(fields, message),
    warn: (message, fields: LogFields = {}) => target.warn(fields, message),
    error: (message, fields: LogFields = {}) => target.error(fields, message),
    // Made from the root: a child of a child would write the name twice.
    for: (name) => wrap(root, module === '' ? name : `${module}/${name}`),
  };
}
