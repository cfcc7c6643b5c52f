// `swarmkeep log …`: the event log from the command line. Values are shown as text where they are
// UTF-8, else as hexadecimal; transfers are decoded.

import { decodeTransfer, TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { toHex, utf8 } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import {
  flagOf,
  type Item,
  type Json,
  listOf,
  numberOf,
  type Output,
  type RoomsCommand,
  textOf,
} from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { logCommand } from '#cli/remote.ts';
import { readLines } from '#cli/standard-input.ts';
import type { Log, ReadFrom, ReadRecord, TopicStats } from '#log/log.ts';
import { declareTopicOptions, topicOptions, topicOptionsOf } from './log-create-command.ts';

const APPEND_RECORDS = 1000;
const FOLLOW_WAIT_MS = 5_000;
const READ_RECORDS = 1000;

function topicItem(stats: TopicStats): Item {
  const { scrub, consumers, retention, ...counts } = stats;
  return {
    ...counts,
    ...(scrub === undefined ? undefined : { scrub: { ...scrub } }),
    ...(retention === undefined ? undefined : { retention: { ...retention } }),
    ...(consumers === undefined ? undefined : { consumers: consumers.map((one) => ({ ...one })) }),
  };
}

function topicText(item: Item): string {
  const name = textOf(item, 'name').padEnd(24);
  const range = `${item['firstOffset']} to ${item['nextOffset']}`.padStart(24);
  const line = `${name} ${range}  ${item['segments']} segments  ${item['bytes']} bytes`;
  const scrub = item['scrub'] as Item | undefined;
  const ended = scrub && new Date(Number(scrub['finishedMs'])).toISOString();
  const scrubbed = scrub === undefined ? '' : `  scrubbed ${ended}: ${scrub['damage']} damaged`;
  return [`${line}${scrubbed}`, ...consumerLines(item), ...retentionLines(item)].join('\n');
}

function consumerLines(item: Item): string[] {
  const consumers = (item['consumers'] as Item[] | undefined) ?? [];
  return consumers.map((one) => `  ${one['name']} is at ${one['offset']}, ${one['lag']} behind`);
}

function retentionLines(item: Item): string[] {
  const retention = item['retention'] as Item | undefined;
  if (retention === undefined) return [];
  const { heldBy, heldFrom, hooksWaiting, hookFailures, hooksDropped } = retention;
  const held = heldBy === undefined ? '' : `${heldBy} holds what follows ${heldFrom}; `;
  const hooks = `${hooksWaiting} segments wait, ${hookFailures} hooks failed, ${hooksDropped} dropped`;
  return [`  retention: ${held}${hooks}`];
}

export const logTopics: RoomsCommand = logCommand({
  name: 'log topics',
  summary: 'List topics with their first and next offset.',
  example: 'swarmkeep log topics',
  readOnly: true,
  async runOnLog(log, _input, output) {
    for (const stats of await log.topics()) output.item(topicItem(stats));
  },
  text: topicText,
});

export const logStats: RoomsCommand = logCommand({
  name: 'log stats',
  summary:
    'All topics as one object: offsets, segments, bytes, consumers and their lag, what retention waits for, and what the last whole scrub found.',
  example: 'swarmkeep log stats --json',
  readOnly: true,
  async runOnLog(log, _input, output) {
    const topics: Item[] = [];
    for (const { name } of await log.topics()) topics.push(topicItem(await log.stats(name)));
    output.item({ topics });
  },
  text: (item) => (item['topics'] as Item[]).map(topicText).join('\n'),
});

export const logAppend: RoomsCommand = logCommand({
  name: 'log append',
  summary: 'Append standard input to a topic, one record a line; answered when it is on disk.',
  example: "printf 'first\\nsecond\\n' | swarmkeep log append notes --create",
  declare: (commander) => {
    commander
      .argument('<topic>', 'The topic.')
      .option('--create', 'Make the topic when it does not exist.');
    declareTopicOptions(commander);
  },
  async prepare(words) {
    const create = words.options['create'] === true;
    const options = topicOptionsOf(words);
    if (!create && Object.keys(options).length > 0) {
      throw new CliError('CLI_USAGE', 'Cannot use --bytes-max or --when-full without --create');
    }
    return { topic: words.args[0] ?? '', create, ...options, lines: await readLines() };
  },
  async runOnLog(log, input, output) {
    const { OWN_TOPICS } = await import('#cli/topics.ts');
    const topic = textOf(input, 'topic');
    if (OWN_TOPICS.has(topic)) {
      // A stray line there would stop the ledger or mislead the trackers.
      throw new CliError('CLI_USAGE', `Cannot append to "${topic}": only the server writes there`);
    }
    if (flagOf(input, 'create')) await log.createTopic(topic, topicOptions(input));
    const lines = listOf(input, 'lines');
    let first: number | undefined;
    for (let at = 0; at < lines.length; at += APPEND_RECORDS) {
      const records = lines.slice(at, at + APPEND_RECORDS).map((line) => ({ value: utf8(line) }));
      const appended = await log.append(topic, records, { consistency: 'durable' });
      first ??= appended.firstOffset;
      output.progress({ what: 'appended', done: at + records.length, total: lines.length });
    }
    const firstOffset = first ?? (await log.stats(topic)).nextOffset;
    output.item({ topic, firstOffset, count: lines.length });
  },
  text: (item) =>
    `${item['count']} records in ${item['topic']}, the first at offset ${item['firstOffset']}`,
});

export const logRead: RoomsCommand = logCommand({
  name: 'log read',
  summary: 'Read records from an offset on.',
  example: 'swarmkeep log read transfers --offset 0 --limit 10 --json',
  readOnly: true,
  declare: (commander) =>
    commander
      .argument('<topic>', 'The topic.')
      .option('--offset <n>', 'The first record wanted; the first that exists unless given.')
      .option('--limit <m>', 'Stop after this many records.')
      .option('--follow', 'Wait for more at the end.')
      .option(
        '--from-start-if-gone',
        'Begin at the first record that exists if the offset is gone.',
      ),
  prepare: (words) => ({
    topic: words.args[0] ?? '',
    offset: wholeNumber(words.options['offset'], '--offset'),
    limit: wholeNumber(words.options['limit'], '--limit'),
    follow: words.options['follow'] === true,
    fromStartIfGone: words.options['fromStartIfGone'] === true,
  }),
  async runOnLog(log, input, output) {
    const from = numberOf(input, 'offset') ?? 'beginning';
    await readOut({ log, output }, input, from);
  },
  text: recordText,
});

export const logTail: RoomsCommand = logCommand({
  name: 'log tail',
  summary: 'Show the last records of a topic, and with --follow what comes.',
  example: 'swarmkeep log tail control --limit 5 --follow',
  readOnly: true,
  declare: (commander) =>
    commander
      .argument('<topic>', 'The topic.')
      .option('--limit <m>', 'How many of the last records.', '10')
      .option('--follow', 'Wait for more at the end.'),
  prepare: (words) => ({
    topic: words.args[0] ?? '',
    last: wholeNumber(words.options['limit'], '--limit'),
    follow: words.options['follow'] === true,
  }),
  async runOnLog(log, input, output) {
    const stats = await log.stats(textOf(input, 'topic'));
    const from = Math.max(stats.firstOffset, stats.nextOffset - (numberOf(input, 'last') ?? 10));
    await readOut({ log, output }, input, from);
  },
  text: recordText,
});

async function readOut(
  where: { readonly log: Log; readonly output: Output },
  input: Item,
  start: ReadFrom,
): Promise<void> {
  const { log, output } = where;
  const topic = textOf(input, 'topic');
  const limit = numberOf(input, 'limit') ?? Number.POSITIVE_INFINITY;
  let from = start;
  let given = 0;
  while (given < limit && !output.signal.aborted) {
    const follow = flagOf(input, 'follow');
    const options = {
      from,
      recordsMax: Math.min(READ_RECORDS, limit - given),
      waitMs: follow ? FOLLOW_WAIT_MS : 0,
    };
    const result = await log.read(topic, options).catch((error: unknown) => {
      if (!(flagOf(input, 'fromStartIfGone') && codeOf(error) === 'LOG_OFFSET_REMOVED'))
        throw error;
      return undefined;
    });
    if (result === undefined) {
      from = 'beginning';
      continue;
    }
    for (const gap of result.gaps) output.item({ gap: true, ...gap });
    for (const record of result.records) output.item(recordItem(topic, record));
    given += result.records.length;
    if (result.records.length === 0 && result.gaps.length === 0 && !follow) return;
    from = result.nextOffset;
  }
}

function recordItem(topic: string, record: ReadRecord): Item {
  const { offset, timeMs } = record;
  const key = record.key === undefined ? {} : { key: readable(record.key) };
  const transfer = topic === TRANSFERS_TOPIC ? decodeTransfer(record.value) : undefined;
  if (transfer === undefined) return { offset, timeMs, ...key, value: readable(record.value) };
  const shown: Record<string, Json> = {};
  for (const [name, value] of Object.entries(transfer)) {
    shown[name] = value instanceof Uint8Array ? toHex(value) : (value as Json);
  }
  return { offset, timeMs, ...key, transfer: shown };
}

function readable(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Not text; hexadecimal loses nothing.
    return toHex(bytes);
  }
}

function recordText(item: Item): string {
  if (item['gap'] === true) return `(offsets ${item['first']} to ${item['next']} are damaged)`;
  const value = item['transfer'] === undefined ? item['value'] : JSON.stringify(item['transfer']);
  const key = item['key'] === undefined ? '' : `${item['key']} `;
  return `${item['offset']} ${key}${value}`;
}

/** Null when the option was not given. @throws CliError CLI_USAGE */
export function wholeNumber(value: unknown, option: string): number | null {
  if (value === undefined) return null;
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new CliError('CLI_USAGE', `Cannot use ${option} ${value}: expected a whole number`);
}
