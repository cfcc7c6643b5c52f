// A log server as commands reach it: `--url`, with the secret and the certificates it needs.

import { readFileSync } from 'node:fs';
import type { Command as Commander } from 'commander';
import { codeOf } from '#base/errors.ts';
import { connectLog } from '#log/client/connect.ts';
import type { RemoteLog } from '#log/client/remote-log.ts';
import type { Log } from '#log/log.ts';
import { parsePlace } from '#net/byte-stream.ts';
import type { Item, Options, Output, RoomsCommand } from './command.ts';
import { CliError } from './errors.ts';

const GIVE_UP_MS = 5_000;

/** A command that needs only the log: on the data folder, or on the log server that --url names. */
export function logCommand(
  words: Omit<RoomsCommand, 'run' | 'local'> & {
    readonly runOnLog: (log: Log, input: Item, output: Output) => Promise<void>;
  },
): RoomsCommand {
  return {
    ...words,
    declare: (commander) => {
      words.declare?.(commander);
      declareUrl(commander);
    },
    run: (rooms, input, output) => words.runOnLog(rooms.log, input, output),
  };
}

export function declareUrl(commander: Commander): void {
  commander.option(
    '--url <url>',
    'A log server instead of the data folder: unix:/path, tcp://host:port, tls://host:port.',
  );
  commander.option('--secret-file <file>', "The log server's secret.");
  commander.option('--ca-file <file>', 'With tls://: the certificate to trust, in PEM.');
}

/** @throws CliError CLI_USAGE; LogError as RemoteLog.connect */
export async function connectUrl(
  options: Pick<Options, 'url' | 'secretFile' | 'caFile'>,
  signal: AbortSignal,
  giveUpMs = GIVE_UP_MS,
): Promise<RemoteLog> {
  const { url = '', secretFile, caFile } = options;
  if (parsePlace(url) === undefined) {
    throw new CliError(
      'CLI_USAGE',
      `Cannot use --url ${url}: expected unix:/path, tcp://host:port or tls://host:port`,
    );
  }
  const client = await connectLog({
    url,
    signal,
    giveUpMs,
    ...(secretFile === undefined ? undefined : { secret: readSecret(secretFile) }),
    ...(caFile === undefined ? undefined : { tls: { ca: readText(caFile) } }),
  });
  return client.log;
}

export async function withRemoteLog(
  options: Options,
  signal: AbortSignal,
  run: (log: RemoteLog) => Promise<void>,
): Promise<void> {
  const log = await connectUrl(options, signal);
  const stop = (): void => log.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await run(log);
  } catch (error) {
    // Ctrl-C while it waited for records is the person's wish, no failure.
    if (!(signal.aborted && codeOf(error) === 'LOG_CLOSED')) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    await log.close();
  }
}

/** Without the line feed that editors leave. @throws CliError CLI_USAGE */
export function readSecret(path: string): string {
  return readText(path).replace(/\r?\n$/, '');
}

/** @throws CliError CLI_USAGE */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CliError('CLI_USAGE', `Cannot read "${path}": ${codeOf(cause)}`, { cause });
  }
}
