// The log's protocol over a stream of bytes: words on a line, some lines followed by a body whose
// length the line tells. docs/log-protocol.md describes it for strangers; this file and
// frame-reader.ts are what both ends here share. Version 1.

import { createHmac } from 'node:crypto';
import { fromHex, toHex } from '#base/bytes.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import { secretEqual } from '#base/secret-equal.ts';
import { isLogErrorCode, LogError } from '#log/errors.ts';
import type { Consistency, ReadFrom, TopicOptions } from '#log/log.ts';

export const PROTOCOL = 'swarmkeep-log/1';
/** A line without its end. No command needs more. */
export const LINE_BYTES_MAX = 1024;
const ID_MAX = 0xffff_ffff;
export const CHALLENGE_BYTES = 32;
const MESSAGE_CHARACTERS_MAX = 400;
const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/;

/** What the server tells when a connection begins, in JSON under these names. */
export interface ServerLimits {
  readonly protocol: number;
  /** The log's, see log.ts. */
  readonly id: string;
  readonly epoch: number;
  readonly batchBytesMax: number;
  readonly batchRecordsMax: number;
  readonly readRecordsMax: number;
  readonly readBytesMax: number;
  /** Requests that one connection may have unanswered. */
  readonly requestsMax: number;
  readonly waitMsMax: number;
  /** How long a connection without a request may be silent; then it is closed. */
  readonly idleMs: number;
}

const LIMIT_NAMES = [
  'protocol',
  'epoch',
  'batchBytesMax',
  'batchRecordsMax',
  'readRecordsMax',
  'readBytesMax',
  'requestsMax',
  'waitMsMax',
  'idleMs',
] as const;

/** Undefined when it is not what a server of this version tells. */
export function parseLimits(text: string): ServerLimits | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const found = value as Record<string, unknown>;
  if (typeof found['id'] !== 'string' || found['protocol'] !== 1) return undefined;
  for (const name of LIMIT_NAMES) {
    const number = found[name];
    if (!Number.isSafeInteger(number) || (number as number) < 0) return undefined;
  }
  return found as unknown as ServerLimits;
}

/** A request's number, 1 to 2^32-1; 0 when it is none. */
export function parseId(word: string | undefined): number {
  const id = parseCount(word, ID_MAX);
  return id ?? 0;
}

/** A whole number from 0 to `max`, or undefined. */
export function parseCount(
  word: string | undefined,
  max: number = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (word === undefined || !DECIMAL.test(word)) return undefined;
  const number = Number(word);
  return number <= max ? number : undefined;
}

/** `-` leaves the choice to the topic. Null when it is no word for it. */
export function parseConsistency(word: string | undefined): Consistency | undefined | null {
  switch (word) {
    case '-':
      return undefined;
    case 'memory':
    case 'interval':
    case 'durable':
      return word;
    default:
      return null;
  }
}

/**
 * What `CREATE` may say of a topic beside its consistency, as `name=value`, and how the value is read;
 * undefined when it is none.
 */
export const TOPIC_OPTION_WORDS: Readonly<
  Record<string, (value: string) => string | number | boolean | undefined>
> = {
  bytesMax: (value) => parseCount(value),
  whenFull: oneOf('refuse', 'removeOldest'),
  ageMsMax: (value) => parseCount(value),
  recordsMax: (value) => parseCount(value),
  whenUnread: oneOf('keep', 'remove'),
  compact: (value) => (value === 'true' ? true : value === 'false' ? false : undefined),
  codec: oneOf('none', 'zstd', 'gzip'),
};

function oneOf(...words: readonly string[]): (value: string) => string | undefined {
  return (value) => (words.includes(value) ? value : undefined);
}

/** The words of `CREATE` behind the topic's name. */
export function topicOptionWords(options: TopicOptions): string[] {
  const { consistency, ...others } = options;
  const known = Object.entries(others).filter(
    ([name, value]) => value !== undefined && Object.hasOwn(TOPIC_OPTION_WORDS, name),
  );
  return [consistency ?? '-', ...known.map(([name, value]) => `${name}=${value}`)];
}

export function parseFrom(word: string | undefined): ReadFrom | undefined {
  if (word === 'beginning' || word === 'end') return word;
  if (word?.startsWith('@') === true) {
    const timeMs = parseCount(word.slice(1));
    return timeMs === undefined ? undefined : { timeMs };
  }
  return parseCount(word);
}

/** @throws LogError LOG_OFFSET_REMOVED, LOG_OFFSET_BEYOND_END for what no offset can be */
export function fromWord(from: ReadFrom, topic: string): string {
  if (typeof from === 'string') return from;
  if (typeof from === 'object') return `@${Math.max(0, Math.floor(from.timeMs))}`;
  if (Number.isSafeInteger(from) && from >= 0) return String(from);
  const code = from < 0 ? 'LOG_OFFSET_REMOVED' : 'LOG_OFFSET_BEYOND_END';
  const first = from < 0 ? ': the first that exists is 0 or later' : '';
  throw new LogError(code, `Cannot read topic "${topic}" at offset ${from}${first}`);
}

/** `ERR <id> <code> <offset or -> <message>` */
export function errorLine(id: number, error: unknown): string {
  const code = codeOf(error) ?? '';
  if (!isLogErrorCode(code)) {
    return `ERR ${id} LOG_SERVER_FAILED - The server failed inside; its log says why\n`;
  }
  const offset = error instanceof LogError ? error.offset : undefined;
  const message = messageOf(error)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a line must stay one line
    .replace(/[\u0000-\u001f\u007f]+/g, ' ')
    .slice(0, MESSAGE_CHARACTERS_MAX);
  return `ERR ${id} ${code} ${offset ?? '-'} ${message}\n`;
}

/** The error that an `ERR` line tells. `words` are all of the line's. */
export function parseError(words: readonly string[]): LogError {
  const code = words[2] ?? '';
  const offset = parseCount(words[3]);
  const message = words.slice(4).join(' ');
  if (!isLogErrorCode(code)) return new LogError('LOG_SERVER_FAILED', `${code}: ${message}`);
  return new LogError(code, message, offset === undefined ? {} : { offset });
}

/** Random and never used again, from each side. Exactly 32 bytes in hexadecimal. */
export function isChallenge(word: string | undefined): word is string {
  return word !== undefined && fromHex(word)?.byteLength === CHALLENGE_BYTES;
}

/** Each side proves that it knows the secret, over both sides' random bytes, and never shows it. */
export function proofOf(
  side: 'client' | 'server',
  secret: Uint8Array,
  challenge: string,
  nonce: string,
): string {
  const text = `${PROTOCOL} ${side} ${challenge.toLowerCase()} ${nonce.toLowerCase()}`;
  return toHex(createHmac('sha256', secret).update(text).digest());
}

/** In the same time for a near miss as for a far one. */
export function isProof(found: string | undefined, expected: string): boolean {
  const bytes = found === undefined ? undefined : fromHex(found);
  const wanted = fromHex(expected);
  return bytes !== undefined && wanted !== undefined && secretEqual(bytes, wanted);
}
