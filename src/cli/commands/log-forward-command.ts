// `swarmkeep log forward`: files, standard input and single messages on a socket into a topic.

import { join, resolve } from 'node:path';
import { SystemClock, sleep } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import { SystemRandom } from '#base/random.ts';
import type { Item, LocalCommand, Options, Output } from '#cli/command.ts';
import { flagOf, listOf, textOf } from '#cli/command.ts';
import { DataFolder } from '#cli/data-folder.ts';
import { CliError } from '#cli/errors.ts';
import { connectUrl, declareUrl } from '#cli/remote.ts';
import type { RemoteLog } from '#log/client/remote-log.ts';

const POLL_MS = 200;
const CONNECT_RETRY_MS = 1000;
/** A stop waits so long for the batch on its way; the next start sends it again. */
const STOP_MS_MAX = 3000;

export const logForward: LocalCommand = {
  name: 'log forward',
  summary:
    'Append lines of files, of standard input or of a socket to a topic, each once, whatever fails.',
  example: 'swarmkeep log forward web /var/log/nginx/access.log --url unix:/run/log.sock --create',
  local: true,
  declare(commander) {
    const collect = (value: string, before: string[]): string[] => [...before, value];
    commander
      .argument('<topic>', 'The topic.')
      .argument('[files...]', 'Files to follow, across rotation; standard input without any.')
      .option('--create', 'Make the topic when it does not exist.')
      .option('--from-end', 'Of a file seen for the first time, only what is added from now on.')
      .option('--state <dir>', 'Where positions are kept. Default: forward-<topic> here.')
      .option(
        '--listen <url>',
        'Take a message a line on unix:/path or tcp://address:port; may be repeated.',
        collect,
        [],
      );
    declareUrl(commander);
  },
  prepare: (words) => ({
    topic: words.args[0] ?? '',
    files: words.args.slice(1).map((path) => resolve(path)),
    create: words.options['create'] === true,
    fromEnd: words.options['fromEnd'] === true,
    state: String(words.options['state'] ?? ''),
    listen: (words.options['listen'] ?? []) as string[],
  }),
  async runLocal(options, input, output) {
    const { OWN_TOPICS } = await import('#cli/topics.ts');
    const topic = textOf(input, 'topic');
    if (OWN_TOPICS.has(topic)) {
      throw new CliError('CLI_USAGE', `Cannot forward to "${topic}": only the server writes there`);
    }
    const stateFolder = textOf(input, 'state');
    // The same lock as a data folder's: two forwarders on one state would send lines twice.
    const folder = DataFolder.take(stateFolder === '' ? `forward-${topic}` : stateFolder);
    try {
      await forward(options, input, { output, statePath: join(folder.path, 'state') });
    } finally {
      folder.release();
    }
  },
  text: (item) =>
    item['line'] === undefined
      ? `${item['forwarded']} lines forwarded to ${item['topic']}`
      : String(item['line']),
};

async function forward(
  options: Options,
  input: Item,
  where: { readonly output: Output; readonly statePath: string },
): Promise<void> {
  const { pinoLogger } = await import('#cli/pino-logger.ts');
  const { FileTail } = await import('#cli/forward/file-tail.ts');
  const { Forwarder, sizesFor } = await import('#cli/forward/forwarder.ts');
  const { LineIntake } = await import('#cli/forward/line-intake.ts');
  const { output, statePath } = where;
  const topic = textOf(input, 'topic');
  const stop = stopOnSignal();
  const clock = new SystemClock();
  const log = await connectPatiently(options, clock, stop);
  if (log === undefined) return;
  let forwarded = 0;
  const forwarder = new Forwarder({
    log,
    topic,
    create: flagOf(input, 'create'),
    statePath,
    clock,
    random: new SystemRandom(),
    logger: pinoLogger('info').for('forward'),
    pollMs: POLL_MS,
    onForwarded: (records) => {
      forwarded += records;
      output.progress({ what: 'lines forwarded', done: forwarded, total: 0 });
    },
  });
  const { readBytes, lineBytesMax } = sizesFor(log.limits);
  const files = listOf(input, 'files');
  const tails = files.map((path) => {
    const position = forwarder.positionOf(path);
    return new FileTail({ path, lineBytesMax, position, fromStart: !flagOf(input, 'fromEnd') });
  });
  const intake = new LineIntake(lineBytesMax);
  const listen = listOf(input, 'listen');
  try {
    for (const url of listen) output.item({ line: `listening: ${await intake.listen(url)}` });
    if (files.length === 0 && listen.length === 0) intake.add(process.stdin);
    await forwarder.run({ tails, intake }, readBytes, stop);
    output.item({ topic, forwarded });
  } finally {
    intake.close();
    for (const tail of tails) tail.close();
    const late = clock.after(STOP_MS_MAX, () => log.destroy());
    await log.close();
    late.cancel();
  }
}

/** A forwarder started before its server waits for it. Undefined when the person ended it first. */
async function connectPatiently(
  options: Options,
  clock: SystemClock,
  signal: AbortSignal,
): Promise<RemoteLog | undefined> {
  const url = options.url ?? `unix:${resolve(options.data, 'log.sock')}`;
  while (!signal.aborted) {
    try {
      return await connectUrl({ ...options, url }, signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (codeOf(error) !== 'LOG_UNREACHABLE') throw error;
      await sleep(clock, CONNECT_RETRY_MS, signal).catch(() => undefined);
    }
  }
  return undefined;
}

function stopOnSignal(): AbortSignal {
  const abort = new AbortController();
  const stop = (): void => {
    if (abort.signal.aborted) process.exit(143);
    abort.abort(new Error('The program stops'));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  return abort.signal;
}
