// The stream of transfers (A10): what every announce moved, as server-sent events, from the log's topic
// `transfers`. An event's id is the offset after its record, so that a reader who lost the connection
// goes on where it was, by Last-Event-ID.
//
//   event: (message)   a transfer; the fields stand at `TransferEvent`
//   event: gap         records that nobody can read any more: {first, next, reason}
//   event: error       the last one: {code, message}
//
// The address is in an event only where `site.transferAddresses` says so, and of protected and erased
// members never, not even while it still stands in the log.

import {
  creditOf,
  decodeTransfer,
  TRANSFER_EVENT,
  TRANSFERS_TOPIC,
} from '#accounting/transfers/transfer-record.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Log, ReadRecord, ReadResult } from '#log/log.ts';
import { formatIp } from '#net/ip-address.ts';
import { clientName } from '#site/format/client.ts';
import { addresslessAmong } from '#site/privacy/old-addresses.ts';
import type { Sql } from '#sql/sql.ts';

/** One announce. Times are Unix milliseconds, ids are this site's. */
export interface TransferEvent {
  readonly offset: number;
  readonly timeMs: number;
  /** 0 when nobody was named. */
  readonly memberId: number;
  readonly torrentId: number;
  readonly event: string;
  readonly door: 'udp' | 'http' | 'websocket';
  readonly client: string;
  /** Moved since the client's last announce; and what of it counts. */
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  readonly creditedUploadedBytes: number;
  readonly creditedDownloadedBytes: number;
  /** Absent when the client did not know. */
  readonly leftBytes?: number;
  readonly address?: string;
  readonly port?: number;
}

export interface EventsWorld {
  readonly log: Pick<Log, 'read' | 'stats'>;
  readonly sql: Sql;
  /** Whether addresses are told at all. */
  readonly withAddresses: boolean;
}

export interface EventsAsked {
  /** An offset, or where the topic ends now. */
  readonly from: number | 'end' | 'beginning';
  readonly signal: AbortSignal;
  /** Asked before anything is told; false ends the stream: rights were taken away. */
  isAllowed(): Promise<boolean>;
  /** Once, whatever ends it. */
  ended(): void;
}

const RECORDS_MAX = 500;
/** A comment keeps proxies from closing a stream in which nothing happens. */
const WAIT_MS = 15_000;
const DOORS = ['udp', 'http', 'websocket'] as const;
const EVENTS = new Map<number, string>(
  Object.entries(TRANSFER_EVENT).map(([name, number]) => [number, name]),
);

/** @throws LogError as Log.read, before the first event */
export async function transferEvents(world: EventsWorld, asked: EventsAsked): Promise<Response> {
  const { log } = world;
  const { signal } = asked;
  // The first look does not wait: its failure must become the answer's status at once.
  const read = { recordsMax: RECORDS_MAX, signal };
  let next: ReadResult | undefined = await log.read(TRANSFERS_TOPIC, { ...read, from: asked.from });
  let from = next.nextOffset;
  const encoder = new TextEncoder();
  let isEnded = false;
  const end = (): void => {
    if (!isEnded) asked.ended();
    isEnded = true;
  };
  // Of an answer whose client has gone before it is begun nobody cancels the stream.
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  // Pulled only when the reader has taken what came before: a slow one holds one answer.
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const page =
            next ?? (await log.read(TRANSFERS_TOPIC, { ...read, from, waitMs: WAIT_MS }));
          next = undefined;
          // After the wait, in which the right may have ended.
          if (!(await asked.isAllowed())) {
            end();
            controller.close();
            return;
          }
          from = page.nextOffset;
          controller.enqueue(encoder.encode(await textOf(world, page)));
        } catch (error) {
          end();
          const told = { code: codeOf(error) ?? 'INTERNAL', message: messageOf(error) };
          controller.enqueue(encoder.encode(`event: error\ndata: ${JSON.stringify(told)}\n\n`));
          controller.close();
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  });
}

async function textOf(world: EventsWorld, page: ReadResult): Promise<string> {
  const { records, gaps } = page;
  if (records.length === 0 && gaps.length === 0) return ': nothing new\n\n';
  let text = '';
  for (const gap of gaps) text += `event: gap\nid: ${gap.next}\ndata: ${JSON.stringify(gap)}\n\n`;
  for (const event of await eventsOf(world, records)) {
    text += `id: ${event.offset + 1}\ndata: ${JSON.stringify(event)}\n\n`;
  }
  return text;
}

/** Records as they are told; those that are none are left out. */
export async function eventsOf(
  world: Pick<EventsWorld, 'sql' | 'withAddresses'>,
  records: readonly ReadRecord[],
): Promise<readonly TransferEvent[]> {
  const decoded = records.flatMap(({ offset, value }) => {
    const record = decodeTransfer(value);
    return record === undefined ? [] : [{ offset, record }];
  });
  const hidden = world.withAddresses
    ? await addresslessAmong(
        world.sql,
        decoded.map(({ record }) => record.memberId),
      )
    : undefined;
  return decoded.map(({ offset, record }) => {
    const { timeMs, memberId, torrentId, left, family, address, port } = record;
    const { uploadedDelta, downloadedDelta } = record;
    const isTold = family !== 0 && hidden !== undefined && !hidden.has(memberId);
    return {
      ...{ offset, timeMs, memberId, torrentId },
      event: EVENTS.get(record.event) ?? 'none',
      door: DOORS[record.door],
      client: clientName(record.peerId),
      uploadedBytes: uploadedDelta,
      downloadedBytes: downloadedDelta,
      creditedUploadedBytes: creditOf(uploadedDelta, record.uploadCreditPercent),
      creditedDownloadedBytes: creditOf(downloadedDelta, record.downloadCreditPercent),
      ...(left === Number.MAX_SAFE_INTEGER ? {} : { leftBytes: left }),
      ...(isTold ? { address: formatIp(address, family), port } : {}),
    };
  });
}
