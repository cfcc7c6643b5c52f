// bin/swarmkeep: reads the words a person typed, finds the command, and runs it where the rooms are:
// in the server that has the data folder, or here. Exit 0 done, 1 it failed or found something,
// 2 asked wrongly (a setting that cannot be used among it). With --json a failure is one more object
// on standard output, `{"error":{"code","message"}}`, beside the sentence on standard error.

import { type Command as Commander, CommanderError } from 'commander';
import { SystemClock } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import { CONFIG_ERRORS } from '#config/errors.ts';
import { environment } from '#config/load.ts';
import type { CliCommand, Item, Options, RoomsCommand, Words } from './command.ts';
import { runTold, systemUser } from './command-deeds.ts';
import { COMMANDS } from './commands/commands.ts';
import { askServer } from './control-socket.ts';
import { hasDataFolder, serverAddress } from './data-folder.ts';
import { CliError } from './errors.ts';
import { leafOf, newCommander } from './leaf.ts';
import { printableItem } from './printable.ts';
import { errorLine, TerminalOutput } from './terminal.ts';
import { VERSION } from './version.ts';

const USAGE_CODES = new Set(['CLI_USAGE', ...Object.keys(CONFIG_ERRORS)]);
const GROUP_SUMMARIES: Readonly<Record<string, string>> = {
  member: 'Add, list, ban and remove members, and reset their keys.',
  passkey: 'Take over the passkeys of members who come from another tracker.',
  torrent: 'Add, list, download and remove torrents.',
  archive: 'Prove what the archive keeps, and work with its signed events.',
  keeper: 'Members and servers that hold copies of what is kept, and prove it.',
  ledger: 'Show what a member moved; prove and rebuild the ledger.',
  log: 'Work with the topics of the event log.',
  logging: 'What the running server writes about itself, by module.',
  store: 'Put, get and keep blobs: content under its hash.',
  'store-token': 'Tokens by which programs and far machines use the store.',
  config: 'Print and check the configuration.',
  db: 'Look at the SQL schema and bring it up to date.',
};

async function main(argv: readonly string[]): Promise<number> {
  const program = newCommander('swarmkeep', 'A private swarm that keeps what it shares.');
  program.version(VERSION, '--version', 'Print the version.');
  program.showSuggestionAfterError(true);
  // What stands behind a command's name is the command's: `backup` and `backup list` know the same words.
  program.enablePositionalOptions();
  const groups = new Map<string, Commander>();
  let exitCode = 0;
  for (const command of COMMANDS) {
    const [first = '', second] = command.name.split(' ');
    const parent = second === undefined ? program : groupOf(program, groups, first);
    const leaf = leafOf(command);
    leaf.action(async () => {
      exitCode = await runCommand(command, { args: leaf.args, options: leaf.opts() });
    });
    parent.addCommand(leaf);
    // Others may be named after it, as `backup list` is.
    if (second === undefined) groups.set(first, leaf.enablePositionalOptions());
  }
  try {
    await program.parseAsync(helpAsked(program, argv), { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has printed its own words already; help and version are not failures.
      if (error.exitCode === 0) return 0;
      const message = error.message.replace(/^error: /, '');
      if (argv.includes('--json')) writeFailure('CLI_USAGE', message);
      return 2;
    }
    const failure = codeOf(error) ?? 'INTERNAL';
    if (argv.includes('--json')) writeFailure(failure, messageOf(error));
    process.stderr.write(`${errorLine(error, process.stderr.isTTY)}\n`);
    return USAGE_CODES.has(failure) ? 2 : 1;
  }
}

/** `help` and `help store get` are what many type first. */
function helpAsked(program: Commander, argv: readonly string[]): string[] {
  const [first, ...words] = argv;
  if (first !== 'help') return [...argv];
  let at = program;
  for (const word of words) {
    const next = at.commands.find((command) => command.name() === word);
    at = next ?? at.error(`error: unknown command '${word}'`);
  }
  return [...words, '--help'];
}

function writeFailure(code: string, message: string): void {
  process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
}

function groupOf(program: Commander, groups: Map<string, Commander>, name: string): Commander {
  const known = groups.get(name);
  if (known !== undefined) return known;
  const group = newCommander(name, GROUP_SUMMARIES[name] ?? '');
  groups.set(name, group);
  program.addCommand(group);
  return group;
}

async function runCommand(command: CliCommand, typed: Words): Promise<number> {
  const options = typed.options as unknown as Options;
  const cancelled = new AbortController();
  const input = (await command.prepare?.(typed)) ?? {};
  const words = options.json
    ? (item: Item) => JSON.stringify(item)
    : (item: Item) => command.text(printableItem(item));
  const render = (item: Item): string => {
    const shown = command.deliver === undefined ? item : command.deliver(item);
    return shown === undefined ? '' : words(shown);
  };
  const output = new TerminalOutput(
    { stdout: process.stdout, stderr: process.stderr, clock: new SystemClock() },
    render,
    cancelled.signal,
  );
  process.stdout.on('error', () => cancelled.abort());
  const interrupt = (): void => cancelled.abort();
  if (command.local !== true || command.isCancellable === true) process.once('SIGINT', interrupt);
  try {
    if (command.local) await command.runLocal(options, input, output);
    else await runWhereTheRoomsAre(command, options, { input, output });
    return 0;
  } catch (error) {
    output.end();
    if (codeOf(error) === 'CLI_FOUND_DAMAGE') return 1;
    throw error;
  } finally {
    output.end();
    process.off('SIGINT', interrupt);
  }
}

async function runWhereTheRoomsAre(
  command: RoomsCommand,
  options: Options,
  work: { readonly input: Item; readonly output: TerminalOutput },
): Promise<void> {
  const { input, output } = work;
  if (options.url !== undefined && command.runOnLog !== undefined) {
    const { withRemoteLog } = await import('./remote.ts');
    await withRemoteLog(options, output.signal, async (log) => {
      await command.runOnLog?.(log, input, output);
    });
    return;
  }
  if (options.url !== undefined && command.runOnStore !== undefined) {
    const { withStore } = await import('./store-place.ts');
    const where = { output, isWriting: false };
    await withStore(options, where, async ({ store }) => command.runOnStore?.(store, output));
    return;
  }
  const { runWithoutRooms } = command;
  if (
    runWithoutRooms !== undefined &&
    (input['outside'] === true || !hasDataFolder(options.data))
  ) {
    return runWithoutRooms(options, '', input, output);
  }
  const server = serverAddress(options.data);
  if (server !== undefined) {
    if (options.set.length > 0 || options.config !== undefined) {
      throw new CliError(
        'CLI_USAGE',
        'Cannot use --set or --config: a server runs on this data folder with its own settings',
      );
    }
    const request = { command: command.name, input, by: systemUser(environment()) };
    if (await askServer(server.socketPath, request, output)) return;
  }
  const needsData = command.readOnly === true || command.needsData === true;
  if (needsData && !hasDataFolder(options.data)) {
    if (command.runWithoutData !== undefined) {
      return command.runWithoutData(options, input, output);
    }
    throw new CliError(
      'CLI_NOT_FOUND',
      `There is no data folder "${options.data}": --data names one, \`swarmkeep serve\` makes it`,
    );
  }
  // Loaded only here: what a running server answers must not wait for all the rooms' code.
  const { openOffline } = await import('./offline.ts');
  let offline: Awaited<ReturnType<typeof openOffline>>;
  try {
    offline = await openOffline(options, command.readOnly === true);
  } catch (error) {
    if (runWithoutRooms === undefined) throw error;
    return runWithoutRooms(options, messageOf(error), input, output);
  }
  try {
    const by = systemUser(environment());
    await runTold({ command, rooms: offline.rooms, input, output, by });
  } finally {
    await offline.close();
  }
}

// A closed pipe (`| head`) is the reader's way to say that it has enough; a full disk is a failure.
let unwritten: unknown;
process.stdout.on('error', (error) => {
  if (codeOf(error) !== 'EPIPE') unwritten ??= error;
});
const code = await main(process.argv.slice(2));
// What was written may still be on its way into a pipe.
await flushed(process.stdout);
await flushed(process.stderr);
// The failure of a write is told in the next turn.
await new Promise((resolve) => setImmediate(resolve));
// Not by waiting for handles to close: a part that hangs must not keep a stopped server alive.
if (unwritten !== undefined) {
  const cause = new CliError('CLI_OUTPUT_FAILED', 'The output could not be written', {
    cause: unwritten,
  });
  process.stderr.write(`${errorLine(cause, process.stderr.isTTY)}\n`);
}
process.exit(unwritten === undefined ? code : 1);

/** Resolves when everything written is handed over, or nobody reads any more. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (!stream.writable || stream.writableLength === 0) resolve();
    else {
      stream.once('drain', resolve);
      stream.once('error', () => resolve());
      stream.write('', () => resolve());
    }
  });
}
