// A world of clients, a network and a tracker that crashes, from one seed: the delta rule, the writer,
// the baseline store and the ledger together. In the end what was counted is what was moved.
//
// What the clients do: announces that are late, doubled, overtaken and lost; every announce twice, as
// over two families or by both hashes of a hybrid torrent; a second tier whose counters began later,
// that takes turns with the first at any pace; restarts with `started`, with another key, or with
// neither; copies of what earlier sessions sent. What fails: appends, the process at any moment, with
// the append in flight on disk or not. Then the ledger and its crashes.
//
// Bounds of the rule, which the clients keep: an announce is late by less than `resetAfterMs`, and of an
// old session that kept its key only copies of its last word come after the `started` of the next one.
// delta.simulation.test.ts has the rule alone, with more tricks.

import assert from 'node:assert/strict';
import test from 'node:test';
import { audit } from '#accounting/audit/audit.ts';
import { AuditChain } from '#accounting/audit/audit-chain.ts';
import { type Baseline, baselineKeyText } from '#accounting/baselines/baseline.ts';
import { BaselineStore } from '#accounting/baselines/baseline-store.ts';
import { Ledger } from '#accounting/ledger/ledger.ts';
import { LedgerBatch } from '#accounting/ledger/ledger-batch.ts';
import { decodeTransfer, TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { TransferWriter } from '#accounting/transfers/transfer-writer.ts';
import { type Clock, SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import type { Log } from '#log/log.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { testSeed } from '#sim/seed.ts';
import { SlowLog } from '#sim/slow-log.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { accountingConfig } from './config.ts';
import { accountingMigrations } from './migrations/all.ts';
import { peerIdOf, TEST_START_MS, type TestAnnounce, TestAnnounces } from './test-announces.ts';
import { torrentTransfer } from './totals.ts';

const SEEDS = 600;
const SQL_SEEDS = 12;
const CONFIG = accountingConfig.parse({
  batchRecordsMax: 8,
  recordsPendingMax: 24,
  ledgerBatchRecordsMax: 7,
});
/** Less than resetAfterMs, and than the pause before a session begins anew. */
const DELAY_MS_MAX = 90_000;
const STARTED_DELAY_MS_MAX = 5000;

test('whatever is late, doubled, lost or crashes, what is counted is what was moved', async (context) => {
  const first = testSeed(context, 1);
  const count = process.env['SWARMKEEP_SEED'] === undefined ? SEEDS : 1;
  const sums = { records: 0, crashes: 0, lost: 0, late: 0, copies: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const world = new World(seed);
    await replayable(seed, () => world.run());
    await replayable(seed, async () => world.check());
    sums.records += world.records.length;
    sums.crashes += world.crashes;
    sums.lost += world.losses;
    sums.copies += world.copies;
    sums.late += world.records.filter((record) => (record.flags & 32) !== 0).length;
  }
  context.diagnostic(JSON.stringify(sums));
  // A world in which nothing goes wrong proves nothing.
  if (count > 1) for (const each of Object.values(sums)) assert.ok(each > SEEDS, 'enough happened');
});

test('the ledger in SQL comes to the same totals through crashes of its own', async (context) => {
  const first = testSeed(context, 1);
  const count = process.env['SWARMKEEP_SEED'] === undefined ? SQL_SEEDS : 1;
  for (let seed = first; seed < first + count; seed++) {
    const world = new World(seed);
    const sql = await openTestSqlite();
    try {
      const clock = new SystemClock();
      await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock });
      await replayable(seed, async () => {
        await world.run();
        await countWithCrashes(sql, world, clock);
      });
    } finally {
      await sql.close();
    }
  }
});

async function countWithCrashes(sql: Sql, world: World, clock: Clock): Promise<void> {
  const { log, random } = world;
  for (let applied = 1; applied > 0; ) {
    const ledger = await Ledger.open({
      ...{ sql, log, clock, config: CONFIG },
      logger: silentLogger,
      metrics: new Registry(),
    });
    for (let batches = below(random, 4); batches >= 0 && applied > 0; batches--) {
      applied = await ledger.applyOnce();
    }
  }
  for (const client of world.clients) {
    const row = await torrentTransfer(sql, client.memberId, client.torrentId);
    const { uploaded, downloaded } = world.countedOf(client);
    assert.deepEqual([row?.uploadedBytes, row?.downloadedBytes], [uploaded, downloaded]);
  }
  assert.deepEqual((await audit({ log, sql })).differences, []);
}

async function replayable(seed: number, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    throw new Error(
      `seed ${seed}: SWARMKEEP_SEED=${seed} node -C swarmkeep-src --test src/accounting/simulation.test.ts`,
      { cause: error },
    );
  }
}

/** How a client's messages reach the tracker. */
type Habit = (typeof HABITS)[number];
const HABITS = ['plain', 'twice', 'tiers', 'slow tiers', 'forgetful'] as const;
/** Credited late, or less where counters crossed: never for more than it moved. */
const VAGUE: readonly Habit[] = ['slow tiers', 'forgetful'];

/** One client: a member's peer id in a torrent. */
class Client {
  readonly memberId: number;
  readonly torrentId: number;
  readonly peer: string;
  readonly habit: Habit;
  /** All that it ever moved. */
  movedUp = 0;
  movedDown = 0;
  /** Counters of this session, and where the second tier's begin. */
  up = 0;
  down = 0;
  tierFrom = { up: 0, down: 0 };
  key = 1;
  /** What it said last in the sessions before this one. */
  readonly goodbyes: TestAnnounce[] = [];

  constructor(id: { memberId: number; torrentId: number; peer: string; habit: Habit }) {
    this.memberId = id.memberId;
    this.torrentId = id.torrentId;
    this.peer = id.peer;
    this.habit = id.habit;
  }
}

class World {
  readonly random: SeededRandom;
  readonly clock = new SimClock(TEST_START_MS);
  readonly log = new MemoryLog();
  readonly clients: Client[] = [];
  crashes = 0;
  copies = 0;
  losses = 0;
  readonly #slowLog: SlowLog;
  #disk: SimDisk;
  #tracker: Tracker | undefined;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.#disk = new SimDisk({ random: this.random });
    this.#slowLog = new SlowLog(this.log, this.clock, this.random);
    for (let at = 0, count = 1 + below(this.random, 4); at < count; at++) {
      this.clients.push(
        new Client({
          memberId: 1 + below(this.random, 2),
          torrentId: 1 + below(this.random, 2),
          peer: String.fromCharCode(97 + at),
          habit: HABITS[below(this.random, HABITS.length)]!,
        }),
      );
    }
  }

  get records() {
    return this.log.recordsOf(TRANSFERS_TOPIC).map((record) => decodeTransfer(record.value)!);
  }

  async run(): Promise<void> {
    await this.log.createTopic(TRANSFERS_TOPIC);
    await this.#start();
    const lives = Promise.all(this.clients.map((client) => this.#live(client)));
    let done = false;
    const end = (): void => {
      done = true;
    };
    lives.then(end, end);
    const troubles = this.#trouble(() => done);
    await this.clock.until(lives);
    await this.clock.until(troubles);
  }

  /** The truth, against what the records say. */
  check(): void {
    const problems: string[] = [];
    const chain = new AuditChain({
      baselinesMax: 10,
      isCut: false,
      report: (problem) => problems.push(problem),
    });
    for (const [offset, { value }] of this.log.recordsOf(TRANSFERS_TOPIC).entries()) {
      chain.check(offset, value, decodeTransfer(value)!);
    }
    assert.deepEqual(problems, []);
    for (const client of this.clients) {
      const group = this.clients.filter((other) => isSamePair(client, other));
      const counted = this.countedOf(client);
      const up = group.reduce((sum, one) => sum + one.movedUp, 0);
      const down = group.reduce((sum, one) => sum + one.movedDown, 0);
      if (group.some((one) => VAGUE.includes(one.habit))) {
        assert.ok(
          counted.uploaded <= up && counted.downloaded <= down,
          'more was counted than moved',
        );
      } else assert.deepEqual(counted, { uploaded: up, downloaded: down });
    }
  }

  countedOf(client: Client): { uploaded: number; downloaded: number } {
    const batch = new LedgerBatch();
    for (const record of this.records) if (isSamePair(client, record)) batch.add(record);
    const entry = batch.entries[0];
    return { uploaded: entry?.uploadedBytes ?? 0, downloaded: entry?.downloadedBytes ?? 0 };
  }

  async #start(): Promise<void> {
    this.#tracker = await Tracker.start({
      clock: this.clock,
      log: this.#slowLog,
      disk: this.#disk,
      onLosses: () => this.losses++,
    });
  }

  /** Crashes, restarts, snapshots and dropped baselines, until the clients are done. */
  async #trouble(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      await this.#sleep(below(this.random, 60_000));
      const kind = below(this.random, 4);
      if (kind === 0) await this.#crash();
      else if (kind === 1) {
        await this.#tracker?.snapshot(this.random);
        // Right behind a snapshot is where one that knows more than the log would show.
        await this.#sleep(10);
        if (below(this.random, 2) === 0) await this.#crash();
      } else if (kind === 2) this.#tracker?.dropOne(this.random);
    }
  }

  async #crash(): Promise<void> {
    this.crashes++;
    this.#tracker?.kill();
    this.#tracker = undefined;
    this.#slowLog.crash();
    this.#disk = this.#disk.crash();
    await this.#sleep(below(this.random, 5000));
    await this.#start();
  }

  async #live(client: Client): Promise<void> {
    const { random } = this;
    for (let session = 0, sessions = 1 + below(random, 3); session < sessions; session++) {
      if (session === 0 || client.habit !== 'forgetful') await this.#begin(client);
      else {
        client.up = 0;
        client.down = 0;
        if (below(random, 2) === 0) client.key++;
      }
      for (let step = below(random, 6); step > 0; step--) {
        const isSlow = client.habit === 'slow tiers' && below(random, 2) === 0;
        await this.#sleep(
          isSlow ? 130_000 + below(random, 600_000) : 20_000 + below(random, 40_000),
        );
        this.#move(client);
        this.#copy(client);
        // An ordinary announce is sent and not waited for.
        void this.#send(client, {}, DELAY_MS_MAX);
      }
      this.#move(client);
      this.#copy(client);
      await this.#insist(client, 'stopped');
      client.goodbyes.push(this.#announceOf(client, { event: 'stopped' }));
      // What is under way of this session arrives before the next one.
      await this.#sleep(DELAY_MS_MAX + 10_000);
    }
  }

  async #begin(client: Client): Promise<void> {
    client.up = 0;
    client.down = 0;
    if (below(this.random, 2) === 0) client.key++;
    await this.#insist(client, 'started');
    client.tierFrom = { up: below(this.random, 3) * 100, down: 0 };
  }

  /** A goodbye of an earlier session once more. Who begins without a word has one session for all. */
  #copy(client: Client): void {
    const { goodbyes } = client;
    const goodbye = goodbyes[below(this.random, Math.max(1, goodbyes.length))];
    if (goodbye === undefined || VAGUE.includes(client.habit)) return;
    this.copies++;
    this.#tracker?.receive(goodbye, () => undefined);
  }

  #move(client: Client): void {
    const up = below(this.random, 1000);
    const down = below(this.random, 1000);
    client.up += up;
    client.down += down;
    client.movedUp += up;
    client.movedDown += down;
  }

  /** Repeats an announce until it is answered, as clients do. */
  async #insist(client: Client, event: 'started' | 'stopped'): Promise<void> {
    for (let answered = false; !answered; ) {
      const delays = event === 'started' ? STARTED_DELAY_MS_MAX : DELAY_MS_MAX;
      const answers = this.#send(client, { event }, delays);
      void answers.then(() => {
        answered = true;
      });
      await this.#sleep(15_000);
      if (event === 'stopped' && !answered) await this.#sleep(DELAY_MS_MAX);
    }
  }

  /** Resolves when the tracker answers one of the messages this makes; perhaps never. */
  #send(client: Client, over: TestAnnounce, delayMsMax: number): Promise<void> {
    const { random } = this;
    const { up, down } = client;
    const announce = this.#announceOf(client, over);
    const messages = [announce];
    if (client.habit === 'twice') messages.push(announce);
    const isSlow = client.habit === 'slow tiers';
    if ((client.habit === 'tiers' || isSlow) && over.event === undefined) {
      // The slow ones take turns.
      if (isSlow && below(random, 2) === 0) messages.pop();
      messages.push({
        ...announce,
        uploaded: Math.max(0, up - client.tierFrom.up),
        downloaded: down,
      });
    }
    const answered = Promise.withResolvers<void>();
    for (const message of messages) {
      const copies = below(random, 6) === 0 ? 2 : 1;
      // The first tier and an insisting client get through; others may be lost.
      const isLost = over.event === undefined && below(random, 8) === 0;
      for (let copy = 0; copy < copies && !isLost; copy++) {
        const delayMs = below(random, 3) === 0 ? below(random, delayMsMax) : below(random, 100);
        this.clock.after(delayMs, () => this.#tracker?.receive(message, answered.resolve));
      }
    }
    return answered.promise;
  }

  #announceOf(client: Client, over: TestAnnounce): TestAnnounce {
    const { memberId, torrentId, peer, key, up, down } = client;
    return { memberId, torrentId, peer, key, uploaded: up, downloaded: down, ...over };
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(delayMs, resolve);
    });
  }
}

function isSamePair(
  one: { readonly memberId: number; readonly torrentId: number },
  other: { readonly memberId: number; readonly torrentId: number },
): boolean {
  return one.memberId === other.memberId && one.torrentId === other.torrentId;
}

/** Admission, swarm and doors left out: baselines, the rule, records, answers. */
class Tracker {
  readonly #announces = new TestAnnounces();
  readonly #clock: SimClock;
  readonly #writer: TransferWriter;
  readonly #store: BaselineStore;
  /** Of each pushed record, newest last: what its baseline was before. */
  readonly #undo: { readonly key: string; readonly before: Baseline | undefined }[] = [];
  #alive = true;
  #snapshotting: Promise<unknown> = Promise.resolve();

  static async start(world: {
    readonly clock: SimClock;
    readonly log: SlowLog;
    readonly disk: SimDisk;
    readonly onLosses: () => void;
  }): Promise<Tracker> {
    const { clock, disk } = world;
    const log = world.log.open();
    const shared = { log, clock, logger: silentLogger, config: CONFIG };
    const store = await BaselineStore.open({ ...shared, disk, folder: '/baselines' });
    return new Tracker({ ...world, log, store });
  }

  private constructor(world: {
    readonly clock: SimClock;
    readonly log: Log;
    readonly store: BaselineStore;
    readonly onLosses: () => void;
  }) {
    this.#clock = world.clock;
    this.#store = world.store;
    for (const some of world.store.recent(0)) {
      for (const lent of some) {
        const baseline = { ...lent, peerId: lent.peerId.slice() };
        this.#announces.baselines.set(baselineKeyText(baseline), baseline);
      }
    }
    this.#writer = new TransferWriter({
      log: world.log,
      clock: world.clock,
      logger: silentLogger,
      metrics: new Registry(),
      config: CONFIG,
      onLost: (records) => {
        if (!this.#alive) return;
        world.onLosses();
        for (let count = records.length; count > 0; count--) {
          const { key, before } = this.#undo.pop()!;
          this.#announces.rollback(key, before);
        }
      },
    });
  }

  kill(): void {
    this.#alive = false;
  }

  receive(announce: TestAnnounce, answer: () => void): void {
    void this.#receive(announce, answer);
  }

  async #receive(announce: TestAnnounce, answer: () => void): Promise<void> {
    if (!this.#alive) return;
    const { memberId = 1, torrentId = 1, peer = '', event } = announce;
    const id = { memberId, torrentId, peerId: peerIdOf(peer) };
    const key = baselineKeyText(id);
    const { baselines } = this.#announces;
    if (!baselines.has(key)) {
      const found = await this.#store.find(id);
      if (!this.#alive) return;
      if (found !== undefined && !baselines.has(key)) baselines.set(key, found);
    }
    const before = baselines.get(key);
    // Nothing is founded by a goodbye or by what comes before its `started`.
    if (before === undefined && event !== 'started') return answer();
    if (this.#writer.isFull) return event === undefined ? answer() : undefined;
    const at = (this.#clock.nowMs() - TEST_START_MS) / 1000;
    const record = this.#announces.receive({ ...announce, at });
    // A packet of a session that is over makes no record, and is answered.
    if (record === undefined) return answer();
    this.#undo.push({ key, before });
    const batch = this.#writer.push(record);
    if (event === undefined) return answer();
    this.#writer.onSettled(batch, (durable) => {
      if (durable && this.#alive) answer();
    });
    this.#writer.flush();
  }

  /** Walks the baselines bit by bit while announces go on. */
  async snapshot(random: SeededRandom): Promise<void> {
    await this.#snapshotting;
    if (!this.#alive) return;
    const writer = this.#store.beginSnapshot(this.#writer);
    for (const key of [...this.#announces.baselines.keys()]) {
      const baseline = this.#announces.baselines.get(key);
      if (baseline !== undefined) writer.add(baseline);
      await new Promise<void>((resolve) => {
        this.#clock.after(below(random, 3000), resolve);
      });
      if (!this.#alive) return;
    }
    this.#snapshotting = writer.commit().catch(() => false);
  }

  /** A silent peer leaves the swarm: its baseline moves to the store. */
  dropOne(random: SeededRandom): void {
    const { baselines } = this.#announces;
    const keys = [...baselines.keys()];
    if (!this.#alive || keys.length === 0 || this.#writer.pending > 0) return;
    const key = keys[below(random, keys.length)]!;
    this.#store.keep(baselines.get(key)!);
    baselines.delete(key);
  }
}
