// What a client may ask, from the words of a line and its body to values. docs/log-protocol.md says
// what each means.

import { LogError } from '#log/errors.ts';
import type { Consistency, ProducerStamp, ReadFrom, TopicOptions } from '#log/log.ts';
import {
  BATCH_HEADER_BYTES,
  bodySumOf,
  isBatchIntact,
  readBatchHeader,
} from '#log/segment/batch.ts';
import { PackedRecords } from '#log/segment/packed-records.ts';
import {
  parseConsistency,
  parseCount,
  parseFrom,
  type ServerLimits,
  TOPIC_OPTION_WORDS,
} from './protocol.ts';

const CODEC_NONE = 0;

export interface AppendRequest {
  readonly topic: string;
  readonly records: PackedRecords;
  readonly consistency: Consistency | undefined;
  readonly producer: ProducerStamp | undefined;
}

export type CallRequest =
  | { readonly command: 'PING' | 'CONFIG' | 'CLOSE' }
  | { readonly command: 'TOPICS' }
  | { readonly command: 'CANCEL'; readonly target: number }
  | { readonly command: 'STATS'; readonly topic: string | undefined }
  | {
      readonly command: 'CREATE';
      readonly topic: string;
      readonly options: TopicOptions;
    }
  | {
      readonly command: 'READ';
      readonly topic: string;
      readonly from: ReadFrom;
      readonly recordsMax: number;
      readonly bytesMax: number;
      readonly waitMs: number;
    }
  | { readonly command: 'TAIL'; readonly topic: string; readonly from: ReadFrom }
  | { readonly command: 'POSITION'; readonly topic: string; readonly consumer: string }
  | {
      readonly command: 'COMMIT';
      readonly topic: string;
      readonly consumer: string;
      readonly offset: number;
    };

export function isAppendCommand(command: string | undefined): boolean {
  return command === 'BATCH' || command === 'APPEND';
}

/** Length of the body that follows; undefined for none, -1 when the line makes no sense. */
export function bodyBytesOf(words: readonly string[]): number | undefined {
  if (!isAppendCommand(words[0])) return undefined;
  return words.length === 5 ? (parseCount(words[4]) ?? -1) : -1;
}

/** `body` is undefined when it was too large to be kept. */
export function parseAppend(
  words: readonly string[],
  body: Uint8Array | undefined,
  limits: ServerLimits,
): AppendRequest | LogError {
  const [command, , topic = '', consistencyWord, length] = words;
  const consistency = parseConsistency(consistencyWord);
  if (consistency === null) {
    return new LogError('LOG_BATCH_INVALID', `There is no consistency "${consistencyWord}"`);
  }
  if (body === undefined) {
    const { batchBytesMax } = limits;
    return new LogError(
      'LOG_BATCH_TOO_LARGE',
      `Cannot append to topic "${topic}": ${length} bytes, expected at most ${batchBytesMax}`,
    );
  }
  if (command === 'APPEND') {
    const records = PackedRecords.of([{ value: body }]);
    return { topic, records, consistency, producer: undefined };
  }
  const header = readBatchHeader(body, 0);
  if (header === undefined || header.isGap || header.length !== body.byteLength) {
    return new LogError('LOG_BATCH_INVALID', 'The body of BATCH is not one whole batch');
  }
  if (!isBatchIntact(body, 0, header)) {
    return new LogError('LOG_BATCH_INVALID', 'The checksum of the batch does not match its bytes');
  }
  if (header.codec !== CODEC_NONE || header.span !== header.records) {
    return new LogError('LOG_BATCH_INVALID', 'A batch is sent uncompressed and without holes');
  }
  const { producerId, producerSequence, records: count } = header;
  return {
    topic,
    records: new PackedRecords(
      count,
      body.subarray(BATCH_HEADER_BYTES),
      bodySumOf(body, 0, header),
    ),
    consistency,
    producer: producerId === 0 ? undefined : { id: producerId, sequence: producerSequence },
  };
}

/** Undefined when it is no request of this version. */
export function parseCall(words: readonly string[]): CallRequest | undefined {
  const [command, , first = '', second, third, fourth, fifth] = words;
  switch (command) {
    case 'PING':
    case 'CONFIG':
    case 'CLOSE':
      return words.length === 2 ? { command } : undefined;
    case 'TOPICS':
      return words.length === 2 ? { command } : undefined;
    case 'CANCEL': {
      const target = parseCount(first);
      return words.length === 3 && target !== undefined ? { command, target } : undefined;
    }
    case 'STATS':
      if (words.length > 3) return undefined;
      return { command, topic: words.length === 3 ? first : undefined };
    case 'CREATE': {
      const options = parseTopicOptions(words.slice(3));
      return options === undefined ? undefined : { command, topic: first, options };
    }
    case 'READ': {
      const from = parseFrom(second);
      const recordsMax = parseCount(third);
      const bytesMax = parseCount(fourth);
      const waitMs = parseCount(fifth);
      if (words.length !== 7 || from === undefined || recordsMax === undefined) return undefined;
      if (bytesMax === undefined || waitMs === undefined) return undefined;
      return { command, topic: first, from, recordsMax, bytesMax, waitMs };
    }
    case 'TAIL': {
      const from = parseFrom(second);
      return words.length === 4 && from !== undefined ? { command, topic: first, from } : undefined;
    }
    case 'POSITION':
      return words.length === 4 ? { command, topic: first, consumer: second ?? '' } : undefined;
    case 'COMMIT': {
      const offset = parseCount(third);
      if (words.length !== 5 || offset === undefined) return undefined;
      return { command, topic: first, consumer: second ?? '', offset };
    }
    default:
      return undefined;
  }
}

/** `[<consistency>] [<option>=<value>]…`; whether a value makes sense is the log's word. */
function parseTopicOptions(words: readonly string[]): TopicOptions | undefined {
  const isBare = words[0] !== undefined && !words[0].includes('=');
  const consistency = parseConsistency(isBare ? words[0] : '-');
  if (consistency === null) return undefined;
  const options: Record<string, string | number | boolean> = {};
  for (const word of isBare ? words.slice(1) : words) {
    const [name = '', value = '', ...rest] = word.split('=');
    const parsed = TOPIC_OPTION_WORDS[name]?.(value);
    if (parsed === undefined || rest.length > 0 || Object.hasOwn(options, name)) return undefined;
    options[name] = parsed;
  }
  return { ...options, ...(consistency === undefined ? {} : { consistency }) };
}
