// What can go wrong in the log, for programs by code and for operators by sentence.

import { CodedError } from '#base/errors.ts';

export const LOG_ERRORS = {
  LOG_TOPIC_UNKNOWN:
    'There is no topic of that name; `log topics` lists them, `--create` makes one.',
  LOG_TOPIC_NAME_INVALID:
    'A topic or consumer name is 1 to 64 characters of a-z, 0-9, dot, underscore and hyphen, beginning with a letter or digit.',
  LOG_TOPICS_FULL: 'The log has `log.topicsMax` topics; raise the limit or use an existing topic.',
  LOG_TOPIC_OPTIONS_INVALID:
    'A topic was to be made with options that are not allowed; the message says which.',
  LOG_TOPIC_FULL:
    'The topic has reached its size limit and removes nothing by itself; nothing was written and reads go on. Raise the limit (`log.transfersBytesMax`, `log.controlBytesMax`, or `bytesMax` in its topic.json) and start again.',
  LOG_BATCH_TOO_LARGE:
    'The records of one append exceed `log.batchRecordsMax` or `log.batchBytesMax`; append fewer at once.',
  LOG_BATCH_INVALID:
    'Packed records handed to an append are malformed; this is a bug of the caller.',
  LOG_SEQUENCE_OLD:
    'A producer repeats an append that is not its newest; nothing was written. It must keep one append on its way at a time in each topic.',
  LOG_APPEND_FAILED:
    'The disk refused a write or a sync; nothing of this append was kept and it can be tried again. Look for a full or failing disk.',
  LOG_REWRITE_FAILED:
    'A segment could not be rewritten without what is to be removed from it; the old one stands. Look for a full or failing disk; the job tries again.',
  LOG_TOPIC_FAILED:
    'After a failed write the topic could not be cut back to its last good record, so it takes no more; the process ends. Check the disk, then start again: recovery runs at start.',
  LOG_QUEUE_FULL:
    'More appends are waiting than `log.queueBytesMax` allows; nothing was written, try again in a moment.',
  LOG_READERS_FULL: 'More readers are waiting than `log.readersMax` allows; try again in a moment.',
  LOG_CONSUMERS_FULL: 'The topic has `log.consumersMax` named consumers; raise the limit.',
  LOG_OFFSET_REMOVED:
    'The offset is before the first that exists; retention removed it. The message names the first.',
  LOG_OFFSET_BEYOND_END: 'The offset is beyond the end of the topic; the message names the end.',
  LOG_READ_FAILED: 'The disk refused a read of a segment; nothing was changed. Check the disk.',
  LOG_FOLDER_INVALID:
    'A file that describes the log (log.json, topic.json) cannot be understood; restore it from a backup.',
  LOG_VERSION_UNSUPPORTED:
    'The log was written by a newer version of the program; use that version or a later one.',
  LOG_CANCELLED: 'The request was taken back by who made it; nothing was written.',
  LOG_PROTOCOL:
    'The other side of a connection said what the protocol does not allow; the connection is closed. See docs/log-protocol.md.',
  LOG_AUTH_FAILED:
    'The log server and its client do not share the same secret, or one of them has none. Check the secret files of both.',
  LOG_CONNECTIONS_FULL:
    'The log server has `log.serverConnectionsMax` connections; try again, or raise the limit.',
  LOG_UNREACHABLE:
    'The log server could not be reached in the time the client was given; the cause is the last attempt.',
  LOG_TIMED_OUT:
    'The log server did not answer in the time the client was given; the connection was given up.',
  LOG_UNANSWERED:
    'The connection was lost before an append was answered: it may or may not have been written. An idempotent producer repeats it without doubling.',
  LOG_SERVER_FAILED: 'The log server failed inside, or told an error this version does not know.',
  LOG_CLOSED: 'The log, or the connection to it, was closed.',
} as const;

export type LogErrorCode = keyof typeof LOG_ERRORS;

export class LogError extends CodedError<LogErrorCode> {
  /** With LOG_OFFSET_REMOVED the first offset that exists, with LOG_OFFSET_BEYOND_END the end. */
  readonly offset: number | undefined;

  constructor(
    code: LogErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly offset?: number } = {},
  ) {
    super(code, message, 'cause' in options ? { cause: options.cause } : undefined);
    this.offset = options.offset;
  }
}

export function isLogErrorCode(code: string): code is LogErrorCode {
  return Object.hasOwn(LOG_ERRORS, code);
}
