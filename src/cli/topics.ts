// The topics the program itself lives on.

import type { Log } from '#log/log.ts';

/** Every admitted announce (accounting/transfer-record.ts); kept for ever by default. */
export const TRANSFERS_TOPIC = 'transfers';
/** What the trackers must know (wire/control-message.ts). */
export const CONTROL_TOPIC = 'control';

/** Makes what is missing. Both are answered only when on disk: credit and bans rest on them. */
export async function createTopics(log: Log): Promise<void> {
  await log.createTopic(TRANSFERS_TOPIC, { consistency: 'durable' });
  await log.createTopic(CONTROL_TOPIC, { consistency: 'durable' });
}
