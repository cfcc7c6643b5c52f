// `swarmkeep serve`: runs until a signal. The first SIGTERM or SIGINT ends it in order, the second at
// once. Exit 0 after an ordered end, 1 when a part failed.

import { messageOf } from '#base/errors.ts';
import type { LocalCommand, Options, Output } from '#cli/command.ts';
import { DataFolder } from '#cli/data-folder.ts';
import type { ServeWorld } from '#cli/serve.ts';
import { VERSION } from '#cli/version.ts';

/** 128 + SIGTERM, as a shell would report it. */
const SECOND_SIGNAL_EXIT = 143;

export const serve: LocalCommand = {
  name: 'serve',
  summary: 'Serve: tracker, ledger, log and site, until a signal ends it.',
  example: 'swarmkeep serve --data /srv/swarmkeep --set site.port=80',
  local: true,
  async runLocal(options, _input, output) {
    await serveUntilSignal(options, output);
  },
  text: (item) => String(item['line']),
};

/** What `serve` and `demo` do. Resolves after an ordered end. @throws what a part failed with */
export async function serveUntilSignal(
  options: Options,
  output: Output,
  beforeSite?: ServeWorld['beforeSite'],
): Promise<void> {
  // Loaded only here: every other command starts without the server's code.
  const { configFor } = await import('#cli/config-for.ts');
  const { serverLogging } = await import('#cli/support/diagnosis.ts');
  const { Rights } = await import('#cli/rights.ts');
  const { Server } = await import('#cli/serve.ts');
  const config = configFor(options);
  const logging = serverLogging(config.server);
  const { logger } = logging;
  const rights = Rights.take(config.server, options.data, logger);
  const folder = DataFolder.take(options.data);
  const ended = endOnSignal();
  try {
    const say = (line: string): void => output.item({ line });
    const world = { folder, config, logger, logging, say, ...(rights !== undefined && { rights }) };
    const server = await Server.start(beforeSite === undefined ? world : { ...world, beforeSite });
    logger.info('Serving', { version: VERSION, data: folder.path });
    const failure = await Promise.race([ended, server.failed]);
    if (failure !== undefined) {
      logger.error('Ending after a failure', { error: messageOf(failure) });
    }
    await server.close();
    if (failure !== undefined) throw failure;
  } finally {
    folder.release();
  }
}

/** Resolves at the first signal. The second ends the process where it stands. */
export function endOnSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    let signals = 0;
    const hear = (): void => {
      signals++;
      if (signals > 1) process.exit(SECOND_SIGNAL_EXIT);
      resolve(undefined);
    };
    process.on('SIGTERM', hear);
    process.on('SIGINT', hear);
  });
}
