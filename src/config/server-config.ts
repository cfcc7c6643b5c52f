// The `[server]` part of the configuration: what belongs to no single room.

import { z } from 'zod';

export const serverConfig = z.strictObject({
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe(
      'The least important lines written to standard error. "debug" tells of every refusal and grows fast.',
    ),
});
