// Bugs that other trackers shipped and fixed, one test each, through real sockets, the log on disk and
// the ledger in SQL. docs/shipped-bugs.md tells where each was seen.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountingConfig } from '#accounting/config.ts';
import { Ledger } from '#accounting/ledger/ledger.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { type MemberTransfer, memberTotals, torrentTransfer } from '#accounting/totals.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import type { Log } from '#log/log.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from '#sim/clock.ts';
import { announceTarget, HttpClient } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';
import { type ClientAnnounce, UdpClient } from '#sim/udp-client.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import { openTestSqlite } from '#sql/test-databases.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const ALICE = '/alice/announce';
const BOB = '/bob/announce';

function peer(name: string, more: Partial<ClientAnnounce> = {}): ClientAnnounce {
  return { infoHash: HASH, peerId: `-SK0001-${name.padEnd(12, '.')}`, left: 9, ...more };
}

interface Place {
  readonly world: TestTracker;
  readonly udp: UdpClient;
  readonly http: HttpClient;
}

async function withTracker(
  run: (place: Place) => Promise<void>,
  options: Parameters<typeof TestTracker.start>[0] = {},
): Promise<void> {
  const world = await TestTracker.start(options);
  const udp = await UdpClient.open(world.port);
  const http = await HttpClient.open(world.port);
  try {
    await udp.connect();
    await world.tell(memberMessage(1, 'alice'), memberMessage(2, 'bob'), torrentMessage(1, HASH));
    await run({ world, udp, http });
  } finally {
    http.close();
    await udp.close();
    await world.close();
  }
}

interface Counted {
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  readonly transfer: MemberTransfer | undefined;
}

/** What the ledger makes of the log as it stands, for one member and torrent 1. */
async function counted(world: TestTracker, memberId: number): Promise<Counted> {
  await world.transfers();
  const sql = await openTestSqlite();
  try {
    const clock = new SystemClock();
    await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock });
    const parts = { sql, log: world.log, clock, config: accountingConfig.parse({}) };
    const ledger = await Ledger.open({ ...parts, logger: silentLogger, metrics: new Registry() });
    while ((await ledger.applyOnce()) > 0);
    const { uploadedBytes, downloadedBytes } = await memberTotals(sql, memberId);
    const transfer = await torrentTransfer(sql, memberId, 1);
    return { uploadedBytes, downloadedBytes, transfer };
  } finally {
    await sql.close();
  }
}

test('shipped elsewhere: of several deltas within one batch only the last was credited', async () => {
  const accounting = { batchAgeMsMax: 3000, ack: 'memory' };
  await withTracker(
    async ({ world, udp }) => {
      await udp.announce(peer('batch', { event: 'started' }), ALICE);
      for (const uploaded of [100, 250, 700]) {
        await udp.announce(peer('batch', { uploaded }), ALICE);
      }
      assert.equal((await counted(world, 1)).uploadedBytes, 700);
    },
    { accounting },
  );
});

test('shipped elsewhere: an older state of a peer overwrote a newer one', async () => {
  await withTracker(async ({ world, udp }) => {
    await udp.announce(peer('older', { event: 'started', left: 900 }), ALICE);
    await udp.announce(peer('older', { downloaded: 800, left: 100 }), ALICE);
    // What was sent before the last one and came after it.
    await udp.announce(peer('older', { downloaded: 300, left: 600 }), ALICE);
    await udp.announce(peer('older', { downloaded: 900, left: 0 }), ALICE);
    const { downloadedBytes, transfer } = await counted(world, 1);
    assert.equal(downloadedBytes, 900, 'neither lost nor counted twice');
    assert.equal(transfer?.leftBytes, 0);
  });
});

test('shipped elsewhere: the time of an announce was the time at which it was written', async () => {
  const clock = new SimClock();
  let hold = Promise.resolve();
  let release = (): void => undefined;
  const wrapLog = (log: Log): Log =>
    new Proxy(log, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        if (name !== 'append') return value.bind(target);
        return async (...words: Parameters<Log['append']>) => {
          if (words[0] === 'transfers') await hold;
          return await target.append(...words);
        };
      },
    });
  await withTracker(
    async ({ world, udp }) => {
      hold = new Promise<void>((resolve) => {
        release = resolve;
      });
      const atMs = clock.nowMs();
      const answer = udp.announce(peer('time', { event: 'started' }), ALICE);
      await until(() => world.tracker.stats().waiting === 1);
      clock.advance(60_000);
      release();
      await answer;
      const [record] = await world.transfers();
      assert.equal(record?.timeMs, atMs);
    },
    { clock, wrapLog, accounting: { batchRecordsMax: 1 } },
  );
});

test('shipped elsewhere: what waited to be written was not written in the order it came', async () => {
  await withTracker(async ({ world, udp }) => {
    await udp.announce(peer('order', { event: 'started' }), ALICE);
    const counters = Array.from({ length: 40 }, (_, at) => (at + 1) * 10);
    for (const uploaded of counters) await udp.announce(peer('order', { uploaded }), ALICE);
    const records = await world.transfers();
    assert.deepEqual(
      records.map((record) => record.uploaded),
      [0, ...counters],
    );
    assert.deepEqual(
      records.map((record) => record.sequence),
      records.map((_, at) => at + 1),
    );
  });
});

test('shipped elsewhere: a goodbye of a peer that nobody knows was refused, and clients asked for ever', async () => {
  await withTracker(async ({ world, udp, http }) => {
    const stopped = peer('unknown', { event: 'stopped', uploaded: 500 });
    assert.equal((await udp.announce(stopped, ALICE))?.action, 'announce');
    const answer = await http.get(announceTarget(ALICE, stopped));
    assert.equal(answer.status, 200);
    assert.ok(!answer.body.includes('failure reason'));
    assert.equal((await counted(world, 1)).uploadedBytes, 0);
    assert.equal(world.swarm.totals().peers, 0);
  });
});

test('shipped elsewhere: a goodbye of one client ended the history of a member whose other client went on', async () => {
  const clock = new SimClock();
  await withTracker(
    async ({ world }) => {
      // A connection of its own for each: an hour passes between them.
      const say = async (announce: ClientAnnounce): Promise<void> => {
        const http = await HttpClient.open(world.port);
        assert.equal((await http.get(announceTarget(ALICE, announce))).failure, '');
        http.close();
      };
      await say(peer('home', { event: 'started', left: 0, port: 6001 }));
      await say(peer('seedbox', { event: 'started', left: 0, port: 6002 }));
      clock.advance(1_800_000);
      await say(peer('home', { event: 'stopped', left: 0, port: 6001 }));
      assert.equal(world.swarm.totals().peers, 1, 'the other one is still there');
      assert.equal(world.swarm.peersOfMember(1, 10).length, 1);
      clock.advance(1_800_000);
      await say(peer('seedbox', { left: 0, uploaded: 70, port: 6002 }));
      const { transfer, uploadedBytes } = await counted(world, 1);
      assert.equal(uploadedBytes, 70);
      assert.equal(transfer?.seedSeconds, 3600, 'one of them was there for all of the time');
    },
    { clock, accounting: { batchRecordsMax: 1 } },
  );
});

test('time between a goodbye and whatever comes next is nobody’s seed time', async () => {
  const clock = new SimClock();
  await withTracker(
    async ({ world }) => {
      const say = async (announce: ClientAnnounce): Promise<void> => {
        const http = await HttpClient.open(world.port);
        assert.equal((await http.get(announceTarget(ALICE, announce))).failure, '');
        http.close();
      };
      await say(peer('fickle', { event: 'started', left: 0 }));
      clock.advance(60_000);
      await say(peer('fickle', { event: 'stopped', left: 0 }));
      clock.advance(1_800_000);
      // Without `started`, which would say by itself that it was away.
      await say(peer('fickle', { left: 0 }));
      clock.advance(900_000);
      await say(peer('fickle', { left: 0 }));
      assert.equal((await counted(world, 1)).transfer?.seedSeconds, 60 + 900);
    },
    { clock, accounting: { batchRecordsMax: 1 } },
  );
});

test('shipped elsewhere: an exit did not wait for what was queued', async () => {
  await withTracker(
    async ({ world, udp }) => {
      await udp.announce(peer('exit', { event: 'started' }), ALICE);
      for (let at = 1; at <= 50; at++) await udp.announce(peer('exit', { uploaded: at }), ALICE);
      // Nothing of the last fifty is due for an hour.
      await world.restart();
      assert.equal((await counted(world, 1)).uploadedBytes, 50);
    },
    { accounting: { batchAgeMsMax: 10_000, ack: 'memory' } },
  );
});

test('shipped elsewhere: counters were compared one by one, or the wrong way round', async () => {
  await withTracker(async ({ world, udp }) => {
    await udp.announce(peer('compare', { event: 'started' }), ALICE);
    await udp.announce(peer('compare', { uploaded: 500, downloaded: 500 }), ALICE);
    // One is lower: a late announce, of which the other proves nothing either.
    await udp.announce(peer('compare', { uploaded: 400, downloaded: 900 }), ALICE);
    await udp.announce(peer('compare', { uploaded: 500, downloaded: 500 }), ALICE);
    await udp.announce(peer('compare', { uploaded: 501, downloaded: 500 }), ALICE);
    const { uploadedBytes, downloadedBytes } = await counted(world, 1);
    assert.deepEqual([uploadedBytes, downloadedBytes], [501, 500]);
  });
});

test('shipped elsewhere: a torrent that was removed came back by what was still queued', async () => {
  await withTracker(
    async ({ world, udp }) => {
      await udp.announce(peer('removed', { event: 'started' }), ALICE);
      await udp.announce(peer('removed', { uploaded: 80 }), ALICE);
      await world.tell(torrentMessage(1, HASH, { state: 'removed', reason: 'a duplicate' }));
      const refused = await udp.announce(peer('removed', { uploaded: 90 }), ALICE);
      assert.match(refused?.error ?? '', /duplicate|removed|unregistered/i);
      // Its bytes were moved and count; the torrent stays away.
      assert.equal((await counted(world, 1)).uploadedBytes, 80);
      await world.restart();
      const http = await HttpClient.open(world.port);
      const still = await http.get(announceTarget(ALICE, peer('removed', { event: 'started' })));
      http.close();
      assert.notEqual(still.failure, '', 'after a restart too');
    },
    { accounting: { batchAgeMsMax: 2000, ack: 'memory' } },
  );
});

test('shipped elsewhere: peers of IPv6 were not valid bencoding', async () => {
  await withTracker(async ({ world }) => {
    const six = await HttpClient.open(world.port, '::1');
    try {
      await six.get(
        announceTarget(BOB, peer('six-bob', { event: 'started', left: 0, port: 6000 })),
      );
      const answer = await six.get(announceTarget(ALICE, peer('six-alice', { event: 'started' })));
      const peers = answer.fields.get('peers6');
      assert.ok(Buffer.isBuffer(peers) && peers.byteLength === 18, String(peers));
      assert.equal(peers.toString('hex'), `${'00'.repeat(15)}011770`, '::1, port 6000');
    } finally {
      six.close();
    }
  });
});

test('shipped elsewhere: the old passkey was good after it was changed', async () => {
  await withTracker(async ({ world, udp, http }) => {
    assert.equal((await udp.announce(peer('key'), ALICE))?.action, 'announce');
    await world.tell(memberMessage(1, 'alice-two'));
    assert.match((await udp.announce(peer('key'), ALICE))?.error ?? '', /unknown passkey/);
    const answer = await http.get(announceTarget(ALICE, peer('key')));
    assert.match(answer.body.toString('latin1'), /unknown passkey/);
    assert.equal((await udp.announce(peer('key'), '/alice-two/announce'))?.action, 'announce');
  });
});

test('shipped elsewhere: counters of `started` were credited, and a loop of starts made upload from nothing', async () => {
  await withTracker(async ({ world, udp }) => {
    for (let at = 1; at <= 20; at++) {
      const uploaded = at * 1_000_000;
      await udp.announce(peer(`loop-${at}`, { event: 'started', uploaded }), ALICE);
      await udp.announce(peer(`loop-${at}`, { event: 'stopped', uploaded }), ALICE);
    }
    assert.equal((await counted(world, 1)).uploadedBytes, 0);
  });
});
