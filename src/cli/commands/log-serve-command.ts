// `swarmkeep log serve`: the log of a data folder, alone, until a signal.

import { messageOf } from '#base/errors.ts';
import type { Item, LocalCommand, Output } from '#cli/command.ts';
import { listOf, textOf } from '#cli/command.ts';
import { DataFolder } from '#cli/data-folder.ts';
import { CliError } from '#cli/errors.ts';
import { readSecret, readText } from '#cli/remote.ts';
import type { Log } from '#log/log.ts';
import { endOnSignal } from './serve-command.ts';

export const logServe: LocalCommand = {
  name: 'log serve',
  summary: 'Serve the log alone over UNIX sockets, TCP, TLS and HTTP, until a signal ends it.',
  example: 'swarmkeep log serve --listen unix:/run/log.sock --listen tcp://127.0.0.1:4100',
  local: true,
  declare(commander) {
    const collect = (value: string, before: string[]): string[] => [...before, value];
    commander
      .option(
        '--listen <url>',
        'unix:/path, tcp://address:port or tls://address:port; may be repeated. Default: log.sock in the data folder.',
        collect,
        [],
      )
      .option('--secret-file <file>', 'Clients must prove that they know what is in this file.')
      .option('--tls-key <file>', 'With tls://: the private key, in PEM.')
      .option('--tls-certificate <file>', 'With tls://: the certificate, in PEM.')
      .option('--http <address:port>', 'Topics by HTTP as well: GET /api/log/<topic>?from=');
  },
  prepare: (words) => ({
    listen: (words.options['listen'] ?? []) as string[],
    secretFile: String(words.options['secretFile'] ?? ''),
    tlsKey: String(words.options['tlsKey'] ?? ''),
    tlsCertificate: String(words.options['tlsCertificate'] ?? ''),
    http: String(words.options['http'] ?? ''),
  }),
  async runLocal(options, input, output) {
    const { configFor } = await import('#cli/config-for.ts');
    const { serverLogging } = await import('#cli/support/diagnosis.ts');
    const { LogServing } = await import('#cli/log-server.ts');
    const config = configFor(options);
    const parts = partsOf(input);
    const folder = DataFolder.take(options.data);
    const { logger } = serverLogging(config.server);
    const ended = endOnSignal();
    try {
      const serving = await LogServing.start({
        folder,
        config: config.log,
        logger,
        say: (line) => output.item({ line }),
        ...parts,
        onCommand,
      });
      const failure = await Promise.race([ended, serving.failed]);
      if (failure !== undefined) {
        logger.error('Ending after a failure', { error: messageOf(failure) });
      }
      await serving.close();
      if (failure !== undefined) throw failure;
    } finally {
      folder.release();
    }
  },
  text: (item) => String(item['line']),
};

function partsOf(input: Item): {
  readonly listen: readonly string[];
  readonly secret?: string;
  readonly tls?: { readonly key: string; readonly certificate: string };
  readonly http?: string;
} {
  const [secretFile, key] = [textOf(input, 'secretFile'), textOf(input, 'tlsKey')];
  const [certificate, http] = [textOf(input, 'tlsCertificate'), textOf(input, 'http')];
  if ((key === '') !== (certificate === '')) {
    throw new CliError(
      'CLI_USAGE',
      'Cannot use --tls-key without --tls-certificate, nor that alone',
    );
  }
  return {
    listen: listOf(input, 'listen'),
    ...(secretFile === '' ? undefined : { secret: readSecret(secretFile) }),
    ...(key === ''
      ? undefined
      : { tls: { key: readText(key), certificate: readText(certificate) } }),
    ...(http === '' ? undefined : { http }),
  };
}

/** What another process asks by the data folder: the commands that need only the log. */
async function onCommand(log: Log, name: string, input: Item, output: Output): Promise<void> {
  // Only here, because the list has this command in it.
  const { COMMANDS } = await import('./commands.ts');
  const command = COMMANDS.find((one) => one.name === name);
  if (command === undefined || command.local === true || command.runOnLog === undefined) {
    throw new CliError(
      'CLI_USAGE',
      `Cannot run "${name}": only the log is served on this data folder`,
    );
  }
  await command.runOnLog(log, input, output);
}
