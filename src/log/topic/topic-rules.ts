// What a topic does by itself with its oldest segments, with records that were superseded, and with the
// bytes of its batches. Kept in its topic.json (descriptions.ts); retention.ts and compaction.ts act.

import type { LogConfig } from '#log/config.ts';
import { LogError } from '#log/errors.ts';
import type { TopicOptions } from '#log/log.ts';
import { CODECS, type CodecName } from '#log/segment/codec.ts';
import { type SizeLimit, sizeLimitOf } from './size-limit.ts';

const TRANSFERS = 'transfers';
const CONTROL = 'control';
/**
 * Commits in `transfers` how far a verified ledger and a snapshot of it cover the log: before that
 * nothing of the topic may go, whatever its rules say.
 */
export const LEDGER_SNAPSHOT = 'ledger-snapshot';

export interface TopicRules {
  readonly limit?: SizeLimit;
  readonly ageMsMax?: number;
  readonly recordsMax?: number;
  /** Default 'keep'. */
  readonly whenUnread?: 'keep' | 'remove';
  readonly compact?: true;
  /** Default none. */
  readonly codec?: CodecName;
  /** Nothing is removed before this consumer has committed, and nothing from its position on. */
  readonly requires?: string;
}

/** @throws LogError LOG_TOPIC_OPTIONS_INVALID */
export function topicRulesOf(topic: string, options: TopicOptions): TopicRules {
  const limit = sizeLimitOf(topic, options);
  const { ageMsMax, recordsMax, whenUnread, compact, codec } = options;
  for (const [name, value] of Object.entries({ ageMsMax, recordsMax })) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
    throw invalid(topic, `${name} ${value}: expected a whole number of at least 1`);
  }
  if (whenUnread !== undefined && whenUnread !== 'keep' && whenUnread !== 'remove') {
    throw invalid(topic, `whenUnread "${whenUnread}": expected "keep" or "remove"`);
  }
  if (codec !== undefined && !Object.hasOwn(CODECS, codec)) {
    throw invalid(topic, `codec "${codec}": expected "none", "zstd" or "gzip"`);
  }
  return {
    ...(limit === undefined ? undefined : { limit }),
    ...(ageMsMax === undefined ? undefined : { ageMsMax }),
    ...(recordsMax === undefined ? undefined : { recordsMax }),
    ...(whenUnread === undefined ? undefined : { whenUnread }),
    ...(compact === true ? { compact } : undefined),
    ...(codec === undefined || codec === 'none' ? undefined : { codec }),
  };
}

/** What the log's settings say of the topics that the program itself lives on. */
export function configuredRules(topic: string, config: LogConfig): TopicRules {
  if (topic === TRANSFERS) {
    const { transfersBytesMax, transfersAgeMsMax, transfersCodec } = config;
    return {
      ...sizeRule(transfersBytesMax),
      ...(transfersAgeMsMax > 0 ? { ageMsMax: transfersAgeMsMax } : undefined),
      ...(transfersCodec === 'none' ? undefined : { codec: transfersCodec }),
      requires: LEDGER_SNAPSHOT,
    };
  }
  if (topic !== CONTROL) return {};
  const { controlBytesMax, controlCompact, controlCodec } = config;
  return {
    ...sizeRule(controlBytesMax),
    ...(controlCompact ? { compact: true } : undefined),
    ...(controlCodec === 'none' ? undefined : { codec: controlCodec }),
  };
}

function sizeRule(bytesMax: number): TopicRules {
  return bytesMax > 0 ? { limit: { bytesMax, whenFull: 'refuse' } } : {};
}

function invalid(topic: string, detail: string): LogError {
  return new LogError('LOG_TOPIC_OPTIONS_INVALID', `Cannot create topic "${topic}" with ${detail}`);
}
