// Two threads of one tracker and one peer: whatever one has begun, the other must know of.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BaselineStore } from '#accounting/baselines/baseline-store.ts';
import { accountingConfig } from '#accounting/config.ts';
import { decodeTransfer, TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { CodedError } from '#base/errors.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { announceOf, hashOf, smallSwarm } from '#sim/announces.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { memberMessage, torrentMessage } from '#sim/test-tracker.ts';
import { TrackerProcess } from '#sim/tracker-process.ts';
import { type AnnounceRequest, DOOR, EVENT } from '#swarm/announce-slot.ts';
import { statsOfAll, type TrackerStats } from './tracker-stats.ts';
import { KEEPER } from './workers.ts';

const SWARM = smallSwarm({ baselineSilentMs: 60_000 });
const ACCOUNTING = accountingConfig.parse({});
/** Longer than messages between the threads and an append take. */
const SOON_MS = 500;
const OTHER = KEEPER + 1;

interface Place {
  readonly clock: SimClock;
  readonly log: MemoryLog;
  readonly process: TrackerProcess;
  /** What became of an announce at a thread: answered, waits, refused or dropped. */
  ask(thread: number, changes: Partial<AnnounceRequest>): { state: string; peers: number };
  /** Holds appends up from here on; the function lets them go, or fail. */
  holdAppends(): (fails?: boolean) => void;
}

async function place(): Promise<Place> {
  const clock = new SimClock();
  const random = new SeededRandom(1);
  const log = new MemoryLog();
  await log.createTopic(TRANSFERS_TOPIC);
  const parts = { clock, log, logger: silentLogger, config: ACCOUNTING };
  const disk = new SimDisk({ random: new SeededRandom(2) });
  const store = await BaselineStore.open({ ...parts, disk, folder: '/baselines' });
  const process = new TrackerProcess({
    ...{ clock, random, log, store, swarm: SWARM, accounting: ACCOUNTING },
    threads: 2,
    life: { isDead: false },
    known: [
      memberMessage(1, 'one'),
      memberMessage(2, 'two'),
      torrentMessage(1, Buffer.from(hashOf(1)).toString('hex')),
    ],
  });
  return {
    clock,
    log,
    process,
    ask: (thread, changes) => askAt(process, thread, changes),
    holdAppends: () => {
      const held = Promise.withResolvers<void>();
      log.delay = () => held.promise;
      return (fails = false) => {
        log.delay = undefined;
        if (fails) held.reject(new CodedError('LOG_APPEND_FAILED', 'planted'));
        else held.resolve();
      };
    },
  };
}

function askAt(
  process: TrackerProcess,
  thread: number,
  changes: Partial<AnnounceRequest>,
): { state: string; peers: number } {
  const { announcer } = process.threads[thread]!;
  const asked = { state: 'asked', peers: -1 };
  const request = announceOf({ torrentId: 0, door: DOOR.http, ...changes });
  const passkey = Buffer.from(request.memberId === 2 ? 'two' : 'one');
  const answered = (peers: number): void => {
    asked.state = 'answered';
    asked.peers = peers;
  };
  const verdict = announcer.announce(
    { ...request, memberId: 0, infoHash: hashOf(1) },
    { passkey, passkeyBytes: passkey.byteLength },
    () => ({
      answer: (answer) => answered(answer.peers4Count),
      refuse: () => {
        asked.state = 'refused';
      },
      drop: () => {
        asked.state = 'dropped';
      },
    }),
  );
  if (verdict === 'answer') answered(announcer.answer.peers4Count);
  else if (verdict !== 'wait') asked.state = verdict;
  return asked;
}

test('T21: what builds on a baseline that another thread founded waits until it is durable', async () => {
  const { clock, log, ask, holdAppends } = await place();
  const release = holdAppends();
  const first = ask(OTHER, { event: EVENT.started });
  await clock.run(SOON_MS);
  const second = ask(KEEPER, { uploaded: 700 });
  await clock.run(SOON_MS);
  assert.deepEqual([first.state, second.state], ['asked', 'asked']);
  release();
  await clock.run(SOON_MS);
  assert.deepEqual([first.state, second.state], ['answered', 'answered']);
  const deltas = log.recordsOf(TRANSFERS_TOPIC).map(({ value }) => decodeTransfer(value));
  assert.deepEqual(
    deltas.map((record) => [record?.sequence, record?.uploadedDelta]),
    [
      [1, 0],
      [2, 700],
    ],
  );
});

test('T21: a goodbye repeated at another thread is answered when the first one is durable', async () => {
  const { clock, log, ask, holdAppends } = await place();
  ask(KEEPER, { event: EVENT.started });
  await clock.run(SOON_MS);
  const release = holdAppends();
  const goodbye = { event: EVENT.stopped, uploaded: 900 } as const;
  const first = ask(OTHER, goodbye);
  await clock.run(SOON_MS);
  const again = ask(KEEPER, goodbye);
  await clock.run(SOON_MS);
  assert.deepEqual([first.state, again.state], ['asked', 'asked']);
  release();
  await clock.run(SOON_MS);
  assert.deepEqual([first.state, again.state], ['answered', 'answered']);
  assert.equal(log.recordsOf(TRANSFERS_TOPIC).length, 2);
});

test('A6: a new peer is handed out only when its baseline is durable', async () => {
  const { clock, process, ask, holdAppends } = await place();
  const asker = { memberId: 2, port: 7000 };
  ask(KEEPER, { ...asker, event: EVENT.started });
  await clock.run(SOON_MS);
  const release = holdAppends();
  const fresh = ask(OTHER, { event: EVENT.started });
  await clock.run(SOON_MS);
  // Longer than silent baselines are kept: one that waits for the disk is not taken for one.
  await clock.run(SWARM.announceIntervalMsMin);
  assert.equal(ask(KEEPER, asker).peers, 0);
  release();
  await clock.run(SOON_MS);
  assert.equal(fresh.state, 'answered');
  clock.advance(SWARM.announceIntervalMsMin);
  assert.equal(ask(KEEPER, { ...asker, uploaded: 1 }).peers, 1);
  assert.equal(process.threads[KEEPER]!.swarm.totals().peers, 2);
});

test('A6: a new peer whose record is lost was never there', async () => {
  const { clock, process, ask, holdAppends } = await place();
  const release = holdAppends();
  const fresh = ask(OTHER, { event: EVENT.started });
  await clock.run(SOON_MS);
  release(true);
  await clock.run(SOON_MS);
  assert.equal(fresh.state, 'dropped');
  const { swarm } = process.threads[KEEPER]!;
  assert.deepEqual([swarm.totals().peers, swarm.totals().silentBaselines], [0, 0]);
  const again = ask(OTHER, { event: EVENT.started });
  await clock.run(SOON_MS);
  assert.deepEqual([again.state, swarm.totals().peers], ['answered', 1]);
});

test('A6: whoever said goodbye while the first announce waited does not appear', async () => {
  const { clock, process, ask, holdAppends } = await place();
  const release = holdAppends();
  ask(OTHER, { event: EVENT.started });
  await clock.run(SOON_MS);
  ask(KEEPER, { event: EVENT.stopped });
  release();
  await clock.run(SOON_MS);
  assert.equal(process.threads[KEEPER]!.swarm.totals().peers, 0);
});

test('A2: a thread that does not keep the old baselines finds them at the one that does', async () => {
  const { clock, log, process, ask } = await place();
  ask(KEEPER, { event: EVENT.started });
  await clock.run(SOON_MS);
  ask(KEEPER, { event: EVENT.stopped, uploaded: 100 });
  await clock.run(SOON_MS);
  // The sweep of the simulated process moves it to the store.
  await clock.run(SWARM.baselineSilentMs + 120_000);
  assert.equal(process.threads[KEEPER]!.swarm.totals().silentBaselines, 0);
  const back = ask(OTHER, { uploaded: 250 });
  await clock.run(SOON_MS + ACCOUNTING.batchAgeMsMax);
  assert.equal(back.state, 'answered');
  const last = decodeTransfer(log.recordsOf(TRANSFERS_TOPIC).at(-1)!.value);
  assert.deepEqual([last?.sequence, last?.uploadedDelta], [3, 150]);
});

test('what several threads tell is summed, and the control of the slowest counts', () => {
  const one: TrackerStats = {
    addresses: ['udp://127.0.0.1:1'],
    mode: 'private',
    swarm: {
      torrents: 1,
      peers: 5,
      seeders: 2,
      silentBaselines: 0,
      peersMax: 10,
      torrentsMax: 10,
    },
    directory: { members: 1, torrents: 1 },
    control: {
      appliedOffset: 9,
      appliedOutboxId: 9,
      lastAppliedMs: 1,
      lastLagMs: 1,
      connected: true,
    },
    requests: {
      connects: 1,
      announces: 2,
      scrapes: 3,
      refused: 4,
      dropped: 5,
      waited: 6,
      ignored: 7,
    },
    waiting: 1,
    recordsPending: 4,
    backPressured: 1,
    recordsLost: 0,
    httpConnections: 3,
    webSocket: {
      connections: 1,
      offers: 2,
      answers: 3,
      undelivered: 4,
      stray: 5,
      broken: 6,
      silent: 7,
    },
  };
  const slow = { ...one, control: { ...one.control, appliedOffset: 7 } };
  const all = statsOfAll(one, [slow]);
  assert.deepEqual(
    [all.workers, all.waiting, all.httpConnections, all.requests.ignored],
    [2, 2, 6, 14],
  );
  assert.deepEqual([all.swarm.peers, all.recordsPending, all.control.appliedOffset], [5, 4, 7]);
  assert.equal(all.webSocket.offers, 4);
});
