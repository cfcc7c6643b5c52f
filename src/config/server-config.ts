// The `[server]` part of the configuration: what belongs to no single room.

import { z } from 'zod';
import { MODULES_MAX, parseModuleLevel } from '#base/log-levels.ts';

export const serverConfig = z.strictObject({
  user: z
    .string()
    .default('')
    .describe(
      "Who the server is once its ports are bound, when it is started as root: the data folder must be this user's. Empty stays root, which is warned of; a server that is not started as root needs nothing here.",
    ),
  group: z
    .string()
    .default('')
    .describe("The group of the server after a start as root. Empty is the user's own."),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe(
      'The least important lines written to standard error. "debug" also tells of connections to the log server that broke. Refused announces are in no line: the metrics count them by their reason.',
    ),
  logLevels: z
    .array(
      z.string().refine((entry) => parseModuleLevel(entry) !== undefined, 'expected module=level'),
    )
    .max(MODULES_MAX)
    .default([])
    .describe(
      'Other levels for single modules, each `module=level`, as "tracker=debug": it counts for the modules below, "tracker/net" among them. `logging set` changes them while the server runs, until it ends.',
    ),
});
