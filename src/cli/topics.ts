// The topics that the program itself lives on.

import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { EVENTS_TOPIC } from '#archive/events/event.ts';
import type { Log } from '#log/log.ts';
import { STAFF_TOPIC } from '#site/staff-log/staff-log-job.ts';
import { CONTROL_TOPIC } from '#sql/outbox.ts';

/** Only the server writes there. */
export const OWN_TOPICS: ReadonlySet<string> = new Set([
  CONTROL_TOPIC,
  EVENTS_TOPIC,
  STAFF_TOPIC,
  TRANSFERS_TOPIC,
]);

/**
 * Makes what is missing. They are answered only when on disk: credit, bans and what the archive keeps rest
 * on them.
 */
export async function createTopics(log: Log): Promise<void> {
  for (const topic of OWN_TOPICS) await log.createTopic(topic, { consistency: 'durable' });
}
