import assert from 'node:assert/strict';
import test from 'node:test';
import { accountingConfig } from '#accounting/config.ts';
import { TestAnnounces } from '#accounting/test-announces.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { type Baseline, baselineKeyText } from './baseline.ts';
import { BASELINE_ENTRY_BYTES, BASELINE_HEADER_BYTES } from './baseline-file.ts';
import { BaselineStore } from './baseline-store.ts';

const FOLDER = '/baselines';
const MEMBERS = 30;

/** A store with two snapshots on disk, records before, between and behind them, and its end. */
class Past {
  readonly disk = new SimDisk({ random: new SeededRandom(1) });
  readonly log = new MemoryLog();
  readonly lines: LogLine[] = [];
  readonly announces = new TestAnnounces();
  #overlayEntriesMax = 1_000_000;

  static async make(): Promise<Past> {
    const past = new Past();
    await past.log.createTopic(TRANSFERS_TOPIC);
    for (let round = 0; round < 3; round++) {
      const store = await past.open();
      for (let memberId = 1; memberId <= MEMBERS; memberId++) {
        // Each comes with the first round or a later one, and moves on in each from there.
        if (memberId % 3 > round) continue;
        const value = past.announces.announce({ memberId, uploaded: round * 100, at: round });
        await past.log.append(TRANSFERS_TOPIC, [{ value }]);
      }
      await store.close();
      if (round < 2) await past.#snapshot();
    }
    past.lines.length = 0;
    return past;
  }

  open(overlayEntriesMax = this.#overlayEntriesMax): Promise<BaselineStore> {
    return BaselineStore.open({
      disk: this.disk,
      folder: FOLDER,
      log: this.log,
      clock: new SimClock(),
      logger: memoryLogger(this.lines),
      config: {
        ...accountingConfig.parse({}),
        baselineOverlayEntriesMax: overlayEntriesMax,
      },
    });
  }

  damage(name: string, change: (bytes: Uint8Array) => void): void {
    const path = `${FOLDER}/${name}`;
    const bytes = this.disk.bytesOf(path);
    change(bytes);
    this.disk.damage(path, bytes);
  }

  async expectAll(store: BaselineStore): Promise<void> {
    for (const expected of this.announces.baselines.values()) {
      assert.deepEqual(await store.find(expected), expected);
    }
    const recent = new Map<string, Baseline>();
    for (const some of store.recent(0)) {
      for (const each of some) {
        recent.set(baselineKeyText(each), { ...each, peerId: each.peerId.slice() });
      }
    }
    assert.deepEqual(recent, this.announces.baselines);
  }

  async #snapshot(): Promise<void> {
    const store = await this.open();
    const { nextOffset } = await this.log.stats(TRANSFERS_TOPIC);
    const settled = async (): Promise<void> => undefined;
    await store.beginSnapshot({ losses: 0, appendedTo: nextOffset, settled }).commit();
    await store.close();
  }
}

const NEWEST = 'baselines-00000002.snapshot';
const OLDER = 'baselines-00000001.snapshot';
const flipHeader = (bytes: Uint8Array): void => {
  bytes[90]! ^= 1;
};
const flipEntries = (bytes: Uint8Array): void => {
  for (let at = BASELINE_HEADER_BYTES; at < bytes.length; at += 3 * BASELINE_ENTRY_BYTES) {
    bytes[at + 40]! ^= 1;
  }
};

for (const [how, change] of [
  ['a header', flipHeader],
  ['some entries', flipEntries],
] as const) {
  test(`with ${how} of both snapshots damaged the log brings back every baseline, and one warning says so`, async () => {
    const past = await Past.make();
    past.damage(NEWEST, change);
    past.damage(OLDER, change);
    const store = await past.open();
    await past.expectAll(store);
    const told = past.lines.filter((line) => line.level !== 'info');
    assert.deepEqual(
      told.map(({ level, message }) => [level, message.includes('Nothing is lost')]),
      [['warn', true]],
    );
    const damaged = told[0]?.fields['damaged'];
    assert.ok(Array.isArray(damaged) && damaged.length === 2);
    await store.beginSnapshot({ losses: 0, appendedTo: 1000, settled: async () => {} }).commit();
    assert.equal(past.lines.filter((line) => line.level !== 'info').length, 1);
  });
}

test('a damaged entry in the newest snapshot makes the one before it the base', async () => {
  const past = await Past.make();
  past.damage(NEWEST, flipEntries);
  await past.expectAll(await past.open());
  const [told] = past.lines.filter((line) => line.level === 'warn');
  assert.match(told?.message ?? '', /the one before it is used/);
});

test('more baselines than memory may hold are written on the way, and none is forgotten', async () => {
  const past = await Past.make();
  past.damage(NEWEST, flipHeader);
  past.damage(OLDER, flipHeader);
  await past.expectAll(await past.open(8));
  assert.deepEqual(
    past.lines.filter((line) => line.message.includes('forgotten')),
    [],
  );
});
