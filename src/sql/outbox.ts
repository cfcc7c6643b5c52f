// What the site changes reaches the trackers through here. `enqueue` writes the message as a row of
// `outbox` in the transaction of the change itself, so that neither exists without the other. The
// relay moves the rows to the log's topic `control`, in order, each once:
//
//   1  read the oldest rows; ids are in the order of commits (see enqueue)
//   2  append them to the topic as one batch, on disk; each record carries its row's id
//   3  in one transaction: delete the rows, move the relay's position to the end of the batch
//
// A crash between 2 and 3 leaves records behind the position whose rows still exist. So a relay
// starts, and goes on after any error, by reading the topic from its position: rows that are found
// there are deleted, and only then is anything appended.
//
// When the position does not fit the topic (another log, or a database or log put back from a copy),
// nobody can say what the trackers know. Ids are then raised above all that were ever relayed, and
// `onDiverged` is told: it must enqueue the state of everything again.

import { sql as raw, type Transaction } from 'kysely';
import { utf8 } from '#base/bytes.ts';
import { type Clock, sleep } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import { currentRequestId } from '#base/request-scope.ts';
import { Waker } from '#base/waker.ts';
import type { Registry } from '#metrics/registry.ts';
import {
  type ControlMessage,
  controlKey,
  decodeControl,
  encodeControl,
} from '#wire/control-message.ts';
import type { SqlConfig } from './config.ts';
import {
  type ConsumerPosition,
  movePosition,
  readPosition,
  removePosition,
} from './consumer-position.ts';
import { lockForTransaction } from './dialect.ts';
import { SqlError } from './errors.ts';
import { fixedQuery } from './fixed-query.ts';
import type { Sql } from './sql.ts';

/** The log topic the trackers follow. */
export const CONTROL_TOPIC = 'control';

const CONSUMER = 'outbox';
const INSERT_ROWS_MAX = 500;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 10_000;

interface OutboxTables {
  outbox: { id: number; message: string };
}

interface OutboxRow {
  readonly id: number;
  readonly message: string;
}

/**
 * Adds messages for the trackers, in order, to what this transaction saves. Call it last: on
 * PostgreSQL it holds a lock until the commit, so that ids are in the order of commits and no reader
 * ever sees a higher id before a lower one.
 */
export async function enqueue<Tables>(
  transaction: Transaction<Tables>,
  messages: ControlMessage | readonly ControlMessage[],
): Promise<void> {
  const list: readonly ControlMessage[] = 'kind' in messages ? [messages] : messages;
  if (list.length === 0) return;
  await lockForTransaction(transaction, 'outbox');
  const tables = transaction as unknown as Transaction<OutboxInsert>;
  // Of no use to a tracker; people find by it who changed what, in the log and in the server's lines.
  const requestId = currentRequestId();
  const asked = requestId === undefined ? {} : { requestId };
  for (let from = 0; from < list.length; from += INSERT_ROWS_MAX) {
    const rows = list.slice(from, from + INSERT_ROWS_MAX);
    await tables
      .insertInto('outbox')
      .values(rows.map((message) => ({ message: JSON.stringify({ ...message, ...asked }) })))
      .execute();
  }
}

interface OutboxInsert {
  outbox: { message: string };
}

/** How many messages wait for the trackers. */
export async function outboxPending(sql: Sql): Promise<number> {
  const row = await sql
    .read<OutboxTables>()
    .selectFrom('outbox')
    .select((of) => of.fn.countAll<number>().as('rows'))
    .executeTakeFirstOrThrow();
  return row.rows;
}

/** What the relay needs of the event log; log/log.ts has it, with its promises. */
export interface OutboxLog {
  readonly id: string;
  readonly epoch: number;
  createTopic(topic: string, options: { readonly consistency: 'durable' }): Promise<void>;
  stats(topic: string): Promise<{ readonly firstOffset: number; readonly nextOffset: number }>;
  append(
    topic: string,
    records: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[],
    options: { readonly consistency: 'durable' },
  ): Promise<{ readonly firstOffset: number; readonly count: number }>;
  read(
    topic: string,
    options: { readonly from: number },
  ): Promise<{
    readonly records: readonly { readonly value: Uint8Array }[];
    readonly nextOffset: number;
  }>;
}

export interface OutboxWorld {
  readonly sql: Sql;
  readonly log: OutboxLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly config: SqlConfig;
  /** The trackers may know less or more than the database: enqueue the state of everything. */
  readonly onDiverged?: (reason: string) => void;
}

/** One at a time on a database: a second one is refused by the position. */
export class OutboxRelay {
  readonly #world: OutboxWorld;
  readonly #relayed: ReturnType<Registry['counter']>;
  readonly #failures: ReturnType<Registry['counter']>;
  readonly #waker: Waker;
  #position: ConsumerPosition | undefined;
  #isSynced = false;

  constructor(world: OutboxWorld) {
    this.#world = world;
    this.#waker = new Waker(world.clock);
    this.#relayed = world.metrics.counter(
      'swarmkeep_outbox_relayed_total',
      'Changes relayed from the database to the trackers.',
    );
    this.#failures = world.metrics.counter(
      'swarmkeep_outbox_failures_total',
      'Attempts to relay changes that failed and are repeated.',
    );
  }

  /** Call after a commit that enqueued something; cheap, and safe at any time. */
  wake(): void {
    this.#waker.wake();
  }

  /** Relays until `signal` aborts, then resolves. Failures are logged and repeated. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, config, logger, sql } = this.#world;
    let retryMs = RETRY_MS_MIN;
    while (!signal.aborted) {
      try {
        this.#waker.reset();
        const ended = sql.transactionsEnded;
        const relayed = await this.relayOnce();
        retryMs = RETRY_MS_MIN;
        while (relayed === 0 && !this.#waker.isWoken) {
          await this.#waker.sleep(config.outboxPollIntervalMs, signal);
          // Nobody has written anything: nothing waits.
          if (signal.aborted || ended === undefined || ended !== sql.transactionsEnded) break;
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#failures.add(1);
        logger.error('Changes could not be relayed to the trackers; trying again', {
          error: messageOf(error),
          retryMs,
        });
        await sleep(clock, retryMs, signal).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
      }
    }
  }

  /** Relays one batch; returns how many messages. @throws SqlError, LogError */
  async relayOnce(): Promise<number> {
    const { sql, log, config } = this.#world;
    if (!this.#isSynced) await this.#synchronise();
    const rows = await oldestRows(sql.read<OutboxTables>(), {
      rowsMax: config.outboxBatchMax,
    });
    if (rows.length === 0) return 0;
    // Until the rows are gone, nobody knows whether they were relayed.
    this.#isSynced = false;
    const appended = await log.append(CONTROL_TOPIC, rows.map(recordOf), {
      consistency: 'durable',
    });
    await this.#settle(
      rows.map((row) => row.id),
      appended.firstOffset + appended.count,
    );
    this.#isSynced = true;
    this.#relayed.add(rows.length);
    return rows.length;
  }

  /** Deletes what was relayed and moves the position, in one transaction. */
  async #settle(ids: readonly number[], nextOffset: number): Promise<void> {
    const { sql, log } = this.#world;
    const expected = this.#position;
    const next: ConsumerPosition = { logId: log.id, epoch: log.epoch, nextOffset };
    await sql.transaction<OutboxTables, void>(async (transaction) => {
      await deleteRows(transaction, ids);
      if (!(await movePosition(transaction, CONSUMER, { expected, next }))) {
        throw new SqlError('SQL_POSITION_TAKEN', 'Another relay moved the position of the outbox');
      }
    });
    this.#position = next;
  }

  async #synchronise(): Promise<void> {
    const { sql, log, logger } = this.#world;
    this.#position = await readPosition(sql.read(), CONSUMER);
    await log.createTopic(CONTROL_TOPIC, { consistency: 'durable' });
    const { firstOffset, nextOffset } = await log.stats(CONTROL_TOPIC);
    const position = this.#position;
    const isNew = position === undefined && nextOffset === 0;
    const follows =
      isNew ||
      (position?.logId === log.id &&
        position.epoch === log.epoch &&
        position.nextOffset <= nextOffset);
    const from = follows && position !== undefined ? position.nextOffset : 0;
    const tail = await this.#readTail(Math.max(from, firstOffset));
    const relayed = follows ? await this.#rowsRelayed(tail.messages) : [];
    const strangers = tail.messages.size - relayed.length;
    if (!follows || strangers > 0) await this.#diverge(tail.idMax);
    if (relayed.length > 0) {
      logger.info('Changes were relayed before the last stop already', { count: relayed.length });
    }
    // A position that is known before the first append tells a crash after it from a strange log.
    if (position === undefined || relayed.length > 0 || !follows || strangers > 0) {
      await this.#settle(relayed, nextOffset);
    }
    this.#isSynced = true;
    if (!follows || strangers > 0) {
      const reason = follows
        ? 'the database is older than the log'
        : 'the log is not the one before';
      logger.warn('The trackers may not know what the database says', { reason });
      this.#world.onDiverged?.(reason);
    }
  }

  /** The messages of the topic from an offset on, by the id of the row each was made of. */
  async #readTail(from: number): Promise<{ messages: Map<number, string>; idMax: number }> {
    const messages = new Map<number, string>();
    let idMax = 0;
    for (let next = from; ; ) {
      const { records, nextOffset } = await this.#world.log.read(CONTROL_TOPIC, { from: next });
      for (const { value } of records) {
        const decoded = decodeControl(value);
        if (decoded === undefined) continue;
        messages.set(decoded.outboxId, JSON.stringify(decoded.message));
        idMax = Math.max(idMax, decoded.outboxId);
      }
      if (nextOffset === next) return { messages, idMax };
      next = nextOffset;
    }
  }

  /** Ids of the rows that still wait although the topic has them, with the same words. */
  async #rowsRelayed(messages: ReadonlyMap<number, string>): Promise<number[]> {
    const relayed: number[] = [];
    const ids = [...messages.keys()];
    for (let from = 0; from < ids.length; from += INSERT_ROWS_MAX) {
      const rows = await this.#world.sql
        .read<OutboxTables>()
        .selectFrom('outbox')
        .selectAll()
        .where('id', 'in', ids.slice(from, from + INSERT_ROWS_MAX))
        .execute();
      for (const row of rows) {
        const again = decodeControl(recordOf(row).value);
        if (again !== undefined && JSON.stringify(again.message) === messages.get(row.id)) {
          relayed.push(row.id);
        }
      }
    }
    return relayed;
  }

  /** Rows that wait keep their order under new ids above `idMax`, so that no id is seen twice. */
  async #diverge(idMax: number): Promise<void> {
    await this.#world.sql.transaction<OutboxTables, void>(async (transaction) => {
      await lockForTransaction(transaction, 'outbox');
      await raiseIds(transaction, { above: idMax, dialect: this.#world.sql.dialect });
      await raw`insert into outbox (message) select message from outbox
        where id <= ${idMax} order by id`.execute(transaction);
      await transaction.deleteFrom('outbox').where('id', '<=', idMax).execute();
      const position = this.#position;
      if (position !== undefined && position.logId !== this.#world.log.id) {
        await removePosition(transaction, CONSUMER);
      }
    });
    this.#position = await readPosition(this.#world.sql.read(), CONSUMER);
  }
}

function recordOf(row: OutboxRow): { readonly key: Uint8Array; readonly value: Uint8Array } {
  const message = JSON.parse(row.message) as ControlMessage;
  return { key: utf8(controlKey(message)), value: encodeControl(message, row.id) };
}

/** Asked some times a second, also when nothing happens. */
const oldestRows = fixedQuery<OutboxTables, { readonly rowsMax: number }, OutboxRow>(
  (reading, { rowsMax }) =>
    reading.selectFrom('outbox').select(['id', 'message']).orderBy('id').limit(rowsMax),
);

async function deleteRows(
  transaction: Transaction<OutboxTables>,
  ids: readonly number[],
): Promise<void> {
  for (let from = 0; from < ids.length; from += INSERT_ROWS_MAX) {
    await transaction
      .deleteFrom('outbox')
      .where('id', 'in', ids.slice(from, from + INSERT_ROWS_MAX))
      .execute();
  }
}

async function raiseIds(
  transaction: Transaction<OutboxTables>,
  to: { readonly above: number; readonly dialect: Sql['dialect'] },
): Promise<void> {
  if (to.dialect === 'postgres') {
    await raw`select setval(pg_get_serial_sequence('outbox', 'id'),
      greatest(nextval(pg_get_serial_sequence('outbox', 'id')), ${to.above}))`.execute(transaction);
    return;
  }
  // The table has no row for a sequence that was never used.
  await raw`insert into sqlite_sequence (name, seq) select 'outbox', 0
    where not exists (select 1 from sqlite_sequence where name = 'outbox')`.execute(transaction);
  await raw`update sqlite_sequence set seq = max(seq, ${to.above}) where name = 'outbox'`.execute(
    transaction,
  );
}
