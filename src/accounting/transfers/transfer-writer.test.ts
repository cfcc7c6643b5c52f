import assert from 'node:assert/strict';
import test from 'node:test';
import { accountingConfig } from '#accounting/config.ts';
import { CodedError } from '#base/errors.ts';
import { silentLogger } from '#base/logger.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock, settle } from '#sim/clock.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { TRANSFER_RECORD_BYTES, TRANSFERS_TOPIC } from './transfer-record.ts';
import { TransferWriter } from './transfer-writer.ts';

const CONFIG = accountingConfig.parse({
  batchRecordsMax: 4,
  batchAgeMsMax: 1000,
  recordsPendingMax: 10,
});

interface Bench {
  readonly log: MemoryLog;
  readonly clock: SimClock;
  readonly writer: TransferWriter;
  /** First bytes of lost records, as they were told. */
  readonly lost: number[][];
  /** What happened, in order: `append 3`, `settled 1 true`, `lost`. */
  readonly events: string[];
  push(id: number): number;
  stored(): number[];
}

async function bench(): Promise<Bench> {
  const log = new MemoryLog();
  await log.createTopic(TRANSFERS_TOPIC);
  const clock = new SimClock();
  const lost: number[][] = [];
  const events: string[] = [];
  const writer = new TransferWriter({
    log,
    clock,
    logger: silentLogger,
    metrics: new Registry(),
    config: CONFIG,
    onLost(records) {
      lost.push(records.map((record) => record[0]!));
      events.push('lost');
    },
  });
  log.delay = async () => {
    events.push('append');
  };
  return {
    log,
    clock,
    writer,
    lost,
    events,
    push: (id) => writer.push(new Uint8Array(TRANSFER_RECORD_BYTES).fill(id)),
    stored: () => log.recordsOf(TRANSFERS_TOPIC).map((record) => record.value[0]!),
  };
}

test('a batch is appended when it is full', async () => {
  const { push, stored, writer } = await bench();
  for (let id = 1; id <= 5; id++) push(id);
  await settle();
  assert.deepEqual(stored(), [1, 2, 3, 4]);
  assert.equal(writer.pending, 1);
  assert.equal(writer.appendedTo, 4);
});

test('a full batch that begins at half of eight bytes leaves a record, unless somebody waits', async () => {
  const { push, stored, writer } = await bench();
  push(1);
  await settle();
  for (let id = 2; id <= 5; id++) push(id);
  await settle();
  assert.deepEqual(stored(), [1, 2, 3, 4]);
  for (let id = 6; id <= 8; id++) push(id);
  await settle();
  assert.deepEqual(stored(), [1, 2, 3, 4, 5, 6, 7, 8]);
  push(9);
  writer.flush();
  await settle();
  for (let id = 10; id <= 13; id++) push(id);
  writer.flush();
  await settle();
  assert.deepEqual(stored(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
});

test('a batch is appended batchAgeMsMax after the one before, and at once after a rest', async () => {
  const { push, stored, clock } = await bench();
  for (const rest of [0, 5000]) {
    const before = stored();
    await clock.run(rest);
    push(1);
    await clock.run(1);
    assert.deepEqual(stored(), [...before, 1]);
    push(2);
    await clock.run(900);
    push(3);
    assert.deepEqual(stored(), [...before, 1]);
    await clock.run(100);
    assert.deepEqual(stored(), [...before, 1, 2, 3]);
  }
});

test('what came behind a full batch during a slow append waits no longer than any other', async () => {
  const { push, stored, clock, log } = await bench();
  const gate = Promise.withResolvers<void>();
  log.delay = () => gate.promise;
  push(1);
  await clock.run(1);
  for (let id = 2; id <= 5; id++) push(id);
  await clock.run(1500);
  for (let id = 6; id <= 10; id++) push(id);
  gate.resolve();
  await settle();
  await clock.run(1000);
  assert.equal(stored().length, 10);
});

test('flush() sends at once, and what comes meanwhile goes together after it', async () => {
  const { push, stored, writer, log, events } = await bench();
  const gate = Promise.withResolvers<void>();
  log.delay = async () => {
    events.push('append');
    await gate.promise;
  };
  push(1);
  writer.flush();
  push(2);
  writer.flush();
  push(3);
  writer.flush();
  assert.equal(events.length, 1);
  gate.resolve();
  await settle();
  assert.deepEqual(stored(), [1, 2, 3]);
  assert.equal(events.length, 2);
});

test('the caller may use its record again as soon as push() returns', async () => {
  const { writer, stored } = await bench();
  const record = new Uint8Array(TRANSFER_RECORD_BYTES).fill(1);
  writer.push(record);
  record.fill(9);
  writer.flush();
  await settle();
  assert.deepEqual(stored(), [1]);
});

test('onSettled() runs after the append, once for each call', async () => {
  const { push, writer, events } = await bench();
  const batch = push(1);
  writer.onSettled(batch, (durable) => events.push(`one ${durable}`));
  writer.onSettled(batch, (durable) => events.push(`two ${durable}`));
  writer.flush();
  await settle();
  assert.deepEqual(events, ['append', 'one true', 'two true']);
});

test('a failed append loses everything pushed since, newest first, before anything else happens', async () => {
  const { push, writer, log, lost, events, stored } = await bench();
  log.beforeAppend = () => {
    throw new Error('disk full');
  };
  const positions = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(push);
  const tell = (durable: boolean): void => void events.push(`settled ${durable}`);
  writer.onSettled(positions[0]!, tell);
  writer.onSettled(positions[0]!, () => {
    log.beforeAppend = undefined;
    push(10);
    writer.flush();
  });
  writer.onSettled(positions[4]!, tell);
  writer.onSettled(positions[8]!, tell);
  await settle();
  assert.deepEqual(lost, [[9, 8, 7, 6, 5, 4, 3, 2, 1]]);
  // The first batch's second listener pushes and flushes at once.
  const told = ['append', 'lost', 'settled false', 'append', 'settled false', 'settled false'];
  assert.deepEqual(events, told);
  assert.deepEqual(stored(), [10]);
  assert.deepEqual([writer.pending, writer.losses], [0, 1]);
});

test('isFull stands at recordsPendingMax and falls when a batch has settled', async () => {
  const { push, writer } = await bench();
  for (let id = 1; id <= 10; id++) {
    assert.equal(writer.isFull, false);
    push(id);
  }
  assert.equal(writer.isFull, true);
  assert.throws(() => push(11), { name: 'AssertionFailure' });
  await settle();
  assert.equal(writer.isFull, false);
});

test('a full queue of the log loses nothing: the same batch is sent again', async () => {
  const { push, writer, log, clock, lost, stored } = await bench();
  let refusals = 3;
  log.beforeAppend = () => {
    if (refusals-- > 0) throw new CodedError('LOG_QUEUE_FULL', 'try again');
  };
  for (let id = 1; id <= 6; id++) push(id);
  writer.flush();
  await clock.run(1000);
  assert.deepEqual(stored(), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(lost, []);
});

test('settled() and close() wait for everything that was pushed', async () => {
  const { push, writer, stored, clock } = await bench();
  for (let id = 1; id <= 6; id++) push(id);
  await clock.until(writer.settled());
  assert.deepEqual(stored(), [1, 2, 3, 4, 5, 6]);
  await writer.settled();
  push(7);
  await clock.until(writer.close());
  assert.deepEqual(stored(), [1, 2, 3, 4, 5, 6, 7]);
  await writer.close();
});
