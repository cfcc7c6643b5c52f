// Counters that no client could have, through real sockets, the log and the ledger in SQL: refused in
// words, or recorded as they are, credited to nobody and shown to moderators. Nothing else changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit } from '#accounting/audit/audit.ts';
import { accountingConfig } from '#accounting/config.ts';
import { Ledger } from '#accounting/ledger/ledger.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { SignalWatch } from '#accounting/signals/signal-watch.ts';
import { type MemberTotals, memberTotals } from '#accounting/totals.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { Registry } from '#metrics/registry.ts';
import { announceTarget, HttpClient } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage } from '#sim/test-tracker.ts';
import { type ClientAnnounce, UdpClient } from '#sim/udp-client.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import { openTestSqlite } from '#sql/test-databases.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const ALICE = '/alice/announce';
const MAX = Number.MAX_SAFE_INTEGER;

/** As HTTP writes them. An empty word is a parameter without value, undefined is none at all. */
const BAD_WORDS: readonly (string | undefined)[] = [
  ...['9223372036854775808', '18446744073709551615', '9007199254740992', '9'.repeat(400)],
  ...['-1', '-9223372036854775808', 'NaN', 'Infinity', '1e6', '0x64', '1.5', '', ' 100', undefined],
];
/** As UDP carries them: 64 bits, which clients fill with -1 and worse. */
const BAD_NUMBERS = [2n ** 63n, 2n ** 64n - 1n, 2n ** 53n, 2n ** 63n - 1n];

function peer(more: Partial<ClientAnnounce> = {}): ClientAnnounce {
  return { infoHash: HASH, peerId: '-SK0001-badcounters.', left: 9, ...more };
}

async function withTracker(run: (world: TestTracker) => Promise<void>): Promise<void> {
  const world = await TestTracker.start({ swarm: { announceIntervalMsMin: 0 } });
  try {
    await world.tell(memberMessage(1, 'alice'), torrentMessage(1, HASH));
    await run(world);
  } finally {
    await world.close();
  }
}

/** What the ledger makes of the log; the audit must find nothing. */
async function memberOne(world: TestTracker): Promise<MemberTotals> {
  await world.transfers();
  const sql = await openTestSqlite();
  try {
    const clock = new SystemClock();
    await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock });
    const parts = { sql, log: world.log, clock, config: accountingConfig.parse({}) };
    const ledger = await Ledger.open({ ...parts, logger: silentLogger, metrics: new Registry() });
    while ((await ledger.applyOnce()) > 0);
    assert.deepEqual((await audit({ sql, log: world.log })).differences, []);
    return await memberTotals(sql, 1);
  } finally {
    await sql.close();
  }
}

async function totals(world: TestTracker): Promise<readonly [up: number, down: number]> {
  const { uploadedBytes, downloadedBytes } = await memberOne(world);
  return [uploadedBytes, downloadedBytes];
}

async function credited(world: TestTracker): Promise<readonly [up: number, down: number]> {
  const { creditedUploadedBytes, creditedDownloadedBytes } = await memberOne(world);
  return [creditedUploadedBytes, creditedDownloadedBytes];
}

test('HTTP: counters of 2^53 and more, negative, missing or no numbers are refused and change nothing', () =>
  withTracker(async (world) => {
    const http = await HttpClient.open(world.port);
    try {
      const say = async (more: Partial<ClientAnnounce>): Promise<string> =>
        (await http.get(announceTarget(ALICE, peer(more)))).failure;
      assert.equal(await say({ event: 'started' }), '');
      assert.equal(await say({ uploaded: 100, downloaded: 50 }), '');
      for (const field of ['uploaded', 'downloaded'] as const) {
        for (const word of BAD_WORDS) {
          const target = announceTarget(ALICE, peer({ uploaded: 100, downloaded: 50 }));
          const changed = word === undefined ? '' : `&${field}=${encodeURIComponent(word)}`;
          const { failure } = await http.get(target.replace(new RegExp(`&${field}=\\d+`), changed));
          assert.notEqual(failure, '', `${field}=${word}`);
        }
      }
      assert.equal(await say({ uploaded: 700, downloaded: 60 }), '');
      assert.deepEqual(await totals(world), [700, 60]);
    } finally {
      http.close();
    }
  }));

test('UDP: counters of 2^53 and more are refused and change nothing', () =>
  withTracker(async (world) => {
    const udp = await UdpClient.open(world.port);
    try {
      await udp.connect();
      await udp.announce(peer({ event: 'started' }), ALICE);
      await udp.announce(peer({ uploaded: 100, downloaded: 50 }), ALICE);
      for (const field of ['uploaded', 'downloaded'] as const) {
        for (const value of BAD_NUMBERS) {
          const bad = { uploaded: 100, downloaded: 50, [field]: value };
          const answer = await udp.announce(peer(bad as never), ALICE);
          assert.notEqual(answer?.error ?? '', '', `${field} ${value}`);
        }
      }
      await udp.announce(peer({ uploaded: 700, downloaded: 60 }), ALICE);
      assert.deepEqual(await totals(world), [700, 60]);
    } finally {
      await udp.close();
    }
  }));

test('a jump that no line carries is recorded as announced, credited to nobody, and shown to moderators', () =>
  withTracker(async (world) => {
    const udp = await UdpClient.open(world.port);
    try {
      await udp.connect();
      await udp.announce(peer({ event: 'started' }), ALICE);
      await udp.announce(peer({ uploaded: MAX }), ALICE);
      await udp.announce(peer({ uploaded: MAX }), ALICE);
      assert.deepEqual(await totals(world), [MAX, 0]);
      // A second client of the member adds to a sum that is full.
      const other = { peerId: '-SK0001-othercounter' };
      await udp.announce(peer({ ...other, event: 'started' }), ALICE);
      await udp.announce(peer({ ...other, uploaded: MAX }), ALICE);
      assert.deepEqual(await totals(world), [MAX, 0]);
      assert.deepEqual(await credited(world), [0, 0]);
      // What a line carries in a minute is credited, a byte more is not.
      const lineBytes = 60 * accountingConfig.parse({}).creditLineBytesPerSecond;
      for (const [at, bytes] of [lineBytes, lineBytes + 1].entries()) {
        const next = { peerId: `-SK0001-anothercount${at}` };
        await udp.announce(peer({ ...next, event: 'started' }), ALICE);
        await udp.announce(peer({ ...next, uploaded: bytes, downloaded: 7 }), ALICE);
        assert.deepEqual(await credited(world), [lineBytes, 7]);
      }
      const { signalLineBytesPerSecond, signalNetworksMax } = accountingConfig.parse({});
      const watch = new SignalWatch({
        lineBytesPerSecondMax: signalLineBytesPerSecond,
        networksMax: signalNetworksMax,
        isEverybodyNamed: true,
      });
      const records = await world.transfers();
      const signals = records.flatMap((record) => watch.see(record, new Map()));
      assert.deepEqual(
        signals.filter(({ kind }) => kind === 'too-fast').map(({ memberId }) => memberId),
        [1, 1, 1, 1],
      );
    } finally {
      await udp.close();
    }
  }));
