// `swarmkeep log create`: a topic with what it is to be, and the same options for `log append --create`.

import type { Command as Commander } from 'commander';
import { bytes, ms } from '#base/field.ts';
import {
  flagOf,
  type Item,
  numberOf,
  type RoomsCommand,
  textOf,
  type Words,
} from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { logCommand } from '#cli/remote.ts';
import type { Consistency, TopicOptions } from '#log/log.ts';
import { CODECS, type CodecName } from '#log/segment/codec.ts';

const CONSISTENCIES: readonly string[] = ['memory', 'interval', 'durable'];
const WHEN_FULL: readonly string[] = ['refuse', 'removeOldest'];
const WHEN_UNREAD: readonly string[] = ['keep', 'remove'];
const CODEC_NAMES: readonly string[] = Object.keys(CODECS);

export function declareTopicOptions(commander: Commander): void {
  commander
    .option(
      '--bytes-max <size>',
      'How large the topic may become, such as "64 MiB"; no limit else.',
    )
    .option(
      '--when-full <what>',
      'At that size: "refuse" appends (default), or "removeOldest" segments.',
    )
    .option('--age-max <time>', 'Remove what is older, such as "30 d"; kept for ever else.')
    .option('--records-max <n>', 'Remove the oldest while there are more.')
    .option(
      '--when-unread <what>',
      'What consumers have not read: "keep" it (default), or "remove" it all the same.',
    )
    .option('--compact', 'Keep only the newest record of each key.')
    .option('--codec <codec>', 'Store batches compressed: "zstd", "gzip" or "none" (default).');
}

/** @throws CliError CLI_USAGE */
export function topicOptionsOf(words: Words): Item {
  const { bytesMax, whenFull, consistency, ageMax, recordsMax, compact } = words.options;
  const size = bytesMax === undefined ? undefined : bytes({ min: 1 }).safeParse(bytesMax);
  if (size?.success === false) {
    throw new CliError('CLI_USAGE', `Cannot use --bytes-max ${bytesMax}: expected a size`);
  }
  if (whenFull !== undefined && size === undefined) {
    throw new CliError('CLI_USAGE', 'Cannot use --when-full without --bytes-max');
  }
  const age = ageMax === undefined ? undefined : ms({ min: 1 }).safeParse(ageMax);
  if (age?.success === false) {
    throw new CliError('CLI_USAGE', `Cannot use --age-max ${ageMax}: expected a time, as "30 d"`);
  }
  const records = recordsMax === undefined ? undefined : Number(recordsMax);
  if (records !== undefined && !(Number.isSafeInteger(records) && records > 0)) {
    throw new CliError('CLI_USAGE', `Cannot use --records-max ${recordsMax}: expected a number`);
  }
  return {
    ...(size === undefined ? {} : { bytesMax: size.data }),
    ...(age === undefined ? {} : { ageMsMax: age.data }),
    ...(records === undefined ? {} : { recordsMax: records }),
    ...(compact === true ? { compact } : {}),
    ...oneOf(words.options['whenUnread'], WHEN_UNREAD, 'whenUnread', '--when-unread'),
    ...oneOf(words.options['codec'], CODEC_NAMES, 'codec', '--codec'),
    ...oneOf(whenFull, WHEN_FULL, 'whenFull', '--when-full'),
    ...oneOf(consistency, CONSISTENCIES, 'consistency', '--consistency'),
  };
}

/** What topicOptionsOf() read, after it crossed a socket. */
export function topicOptions(input: Item): TopicOptions {
  const bytesMax = numberOf(input, 'bytesMax');
  const whenFull = textOf(input, 'whenFull');
  const consistency = textOf(input, 'consistency');
  const ageMsMax = numberOf(input, 'ageMsMax');
  const recordsMax = numberOf(input, 'recordsMax');
  const whenUnread = textOf(input, 'whenUnread');
  const codec = textOf(input, 'codec');
  return {
    ...(ageMsMax === undefined ? {} : { ageMsMax }),
    ...(recordsMax === undefined ? {} : { recordsMax }),
    ...(whenUnread === 'keep' || whenUnread === 'remove' ? { whenUnread } : {}),
    ...(flagOf(input, 'compact') ? { compact: true } : {}),
    ...(CODEC_NAMES.includes(codec) ? { codec: codec as CodecName } : {}),
    ...(bytesMax === undefined ? {} : { bytesMax }),
    ...(whenFull === 'refuse' || whenFull === 'removeOldest' ? { whenFull } : {}),
    ...(CONSISTENCIES.includes(consistency) ? { consistency: consistency as Consistency } : {}),
  };
}

function oneOf(value: unknown, known: readonly string[], name: string, option: string): Item {
  if (value === undefined) return {};
  if (typeof value === 'string' && known.includes(value)) return { [name]: value };
  const words = known.map((one) => `"${one}"`).join(' or ');
  throw new CliError('CLI_USAGE', `Cannot use ${option} ${String(value)}: expected ${words}`);
}

export const logCreate: RoomsCommand = logCommand({
  name: 'log create',
  summary: 'Make a topic; nothing happens to one that exists.',
  example: 'swarmkeep log create readings --bytes-max "64 MiB" --when-full removeOldest',
  declare: (commander) => {
    commander
      .argument('<topic>', 'The topic.')
      .option(
        '--consistency <when>',
        'When an append is answered that does not say: "memory", "interval" (default) or "durable".',
      );
    declareTopicOptions(commander);
  },
  prepare: (words) => ({ topic: words.args[0] ?? '', ...topicOptionsOf(words) }),
  async runOnLog(log, input, output) {
    const topic = textOf(input, 'topic');
    const isNew = !(await log.topics()).some(({ name }) => name === topic);
    await log.createTopic(topic, topicOptions(input));
    output.item({ topic, new: isNew });
  },
  text: (item) => `${item['topic']} ${item['new'] === true ? 'is made' : 'is there already'}`,
});
