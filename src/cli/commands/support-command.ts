// `swarmkeep support`: one file for whoever helps an operator, with everything that tells of the program
// and nothing that tells of the members. Made by the running server, offline, or from outside when the
// data folder cannot be opened.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SystemClock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import { flagOf, type Item, listOf, numberOf, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { OutputFile } from '#cli/output-file.ts';
import { linesOf, readStandardInput } from '#cli/standard-input.ts';
import type { BundleAsked } from '#cli/support/bundle.ts';

const LINES_DEFAULT = 300;
const LINES_MAX = 5000;
const LOG_FILE_BYTES_MAX = 4 * 1024 * 1024;

export const support: RoomsCommand = {
  name: 'support',
  summary:
    'Write what a helper needs into one file: settings, findings, figures, the last log lines; no secrets, no members, no addresses.',
  example: 'swarmkeep support -o support.json',
  readOnly: true,
  declare: (commander) =>
    commander
      .option('-o, --output <file>', 'The file; - for standard output.', 'swarmkeep-support.json')
      .option('--lines <count>', `Log lines, at most ${LINES_MAX}.`, String(LINES_DEFAULT))
      .option('--log-file <file>', 'Where the log was kept, for a server that is down; - reads it.')
      .option('--addresses', 'Leave addresses and hosts of the network in it.', false)
      .option('--outside', 'Ask no server and open nothing: for one that hangs.', false),
  async prepare({ options }) {
    const lines = Number(options['lines']);
    if (!Number.isInteger(lines) || lines < 0 || lines > LINES_MAX) {
      throw new CliError('CLI_USAGE', `Cannot use --lines ${options['lines']}: 0 to ${LINES_MAX}`);
    }
    const logFile = options['logFile'];
    return {
      output: String(options['output']),
      lines,
      addresses: options['addresses'] === true,
      outside: options['outside'] === true,
      logLines: typeof logFile === 'string' ? (await lastLines(logFile)).slice(-lines) : [],
    };
  },
  async run(rooms, input, output) {
    const { gatherBundle } = await import('#cli/support/bundle.ts');
    output.item(itemOf(input, await gatherBundle(rooms, askedOf(input), output)));
  },
  async runWithoutRooms(options, why, input, output) {
    const { gatherOutside } = await import('#cli/support/bundle.ts');
    const outside = {
      ...(await settingsOf(options)),
      dataPath: resolve(options.data),
      nowMs: new SystemClock().nowMs(),
    };
    const said = [why, outside.why].filter((one) => one !== '').join('; ');
    const bundle = await gatherOutside({ ...outside, why: said }, askedOf(input), output);
    output.item(itemOf(input, bundle));
  },
  // The server may be in another folder: the file is written where it was asked.
  deliver(item) {
    const path = textOf(item, 'output');
    const bundle = item['bundle'] as Item;
    const text = `${JSON.stringify(bundle, undefined, 1)}\n`;
    if (path === '-') {
      process.stdout.write(text);
      return undefined;
    }
    const file = new OutputFile(path, 0o600);
    try {
      file.write(Buffer.from(text));
      file.finish();
    } catch (error) {
      file.abandon();
      throw error;
    }
    const sections = Object.entries(bundle).map(([name, value]) => ({
      name,
      bytes: Buffer.byteLength(JSON.stringify(value)),
      failed: typeof value === 'object' && value !== null && 'failed' in value,
    }));
    return { file: path, bytes: Buffer.byteLength(text), sections };
  },
  text(item) {
    const sections = (item['sections'] as Item[]).map(
      ({ name, bytes, failed }) =>
        `  ${String(name).padEnd(10)} ${bytes} bytes${failed === true ? ', could not be made' : ''}`,
    );
    return [
      `Wrote ${item['file']}:`,
      ...sections,
      'No secrets, members or addresses are meant to be in it, but read it before you send it.',
    ].join('\n');
  },
};

function itemOf(input: Item, bundle: Item): Item {
  return { output: textOf(input, 'output'), bundle };
}

function askedOf(input: Item): BundleAsked {
  return {
    linesMax: numberOf(input, 'lines') ?? LINES_DEFAULT,
    showsAddresses: flagOf(input, 'addresses'),
    logLines: listOf(input, 'logLines'),
  };
}

/** Settings that cannot be read are one more thing to tell. */
async function settingsOf(options: Parameters<NonNullable<RoomsCommand['runWithoutRooms']>>[0]) {
  const { configFor } = await import('#cli/config-for.ts');
  try {
    return { config: configFor(options), why: '' };
  } catch (error) {
    return { config: undefined, why: messageOf(error) };
  }
}

async function lastLines(path: string): Promise<string[]> {
  try {
    const bytes = path === '-' ? await readStandardInput() : readFileSync(path);
    return linesOf(bytes.subarray(-LOG_FILE_BYTES_MAX).toString('utf8'));
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError('CLI_USAGE', `Cannot read "${path}": ${messageOf(cause)}`, { cause });
  }
}
