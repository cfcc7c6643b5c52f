import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { creditAt, REAL_BYTES } from '#accounting/credit.ts';
import { SimClock } from '#sim/clock.ts';
import { memberMessage, TestTracker, torrentMessage } from '#sim/test-tracker.ts';
import { type ClientAnnounce, UdpClient } from '#sim/udp-client.ts';
import type { CreditWindowMessage } from '#wire/control-message.ts';
import { CreditTable } from './credit-table.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';

function window(windowId: number, more: Partial<CreditWindowMessage> = {}): CreditWindowMessage {
  return {
    kind: 'credit-window',
    windowId,
    memberId: 0,
    torrentId: 0,
    state: 'active',
    uploadCreditPercent: 100,
    downloadCreditPercent: 0,
    fromMs: 0,
    untilMs: 1000,
    ...more,
  };
}

function downloads(table: CreditTable, memberId: number, torrentId: number, atMs = 1): number {
  return table.at(REAL_BYTES, { memberId, torrentId }, atMs).downloadCreditPercent;
}

test('a window counts for whom and what it names, and nobody else', () => {
  const table = new CreditTable();
  table.apply(window(1, { memberId: 7, torrentId: 3 }));
  assert.deepEqual(
    [downloads(table, 7, 3), downloads(table, 7, 4), downloads(table, 8, 3)],
    [0, 100, 100],
  );
  table.apply(window(2, { torrentId: 4 }));
  assert.deepEqual(
    [downloads(table, 0, 4), downloads(table, 9, 4), downloads(table, 9, 5)],
    [0, 0, 100],
  );
  table.apply(window(3, { memberId: 9 }));
  assert.deepEqual([downloads(table, 9, 5), downloads(table, 0, 5)], [0, 100]);
});

test('a window that was changed, repeated or removed leaves nothing behind', () => {
  const table = new CreditTable();
  table.apply(window(1, { memberId: 7 }));
  table.apply(window(1, { memberId: 7 }));
  table.apply(window(1, { memberId: 8 }));
  assert.deepEqual([table.size, downloads(table, 7, 1), downloads(table, 8, 1)], [1, 100, 0]);
  table.apply(window(1, { memberId: 8, state: 'removed' }));
  assert.deepEqual([table.size, downloads(table, 8, 1)], [0, 100]);
});

test('whatever windows there are, the table says what the rule says', () => {
  const id = fc.integer({ min: 0, max: 2 });
  const percent = fc.integer({ min: 0, max: 300 });
  const windows = fc.array(
    fc.record({
      windowId: fc.integer({ min: 1, max: 6 }),
      memberId: id,
      torrentId: id,
      uploadCreditPercent: percent,
      downloadCreditPercent: percent,
      untilMs: fc.integer({ min: 0, max: 10 }),
      state: fc.constantFrom('active' as const, 'removed' as const),
    }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(
      windows,
      id,
      id,
      fc.integer({ min: 0, max: 10 }),
      (list, memberId, torrentId, atMs) => {
        const table = new CreditTable();
        const known = new Map<number, CreditWindowMessage>();
        for (const one of list) {
          const message = window(one.windowId, one);
          table.apply(message);
          if (message.state === 'active') known.set(one.windowId, message);
          else known.delete(one.windowId);
        }
        const meant = [...known.values()].filter(
          (one) =>
            (one.memberId === 0 || one.memberId === memberId) &&
            (one.torrentId === 0 || one.torrentId === torrentId),
        );
        const said = { ...table.at(REAL_BYTES, { memberId, torrentId }, atMs) };
        assert.deepEqual(said, creditAt(REAL_BYTES, meant, atMs));
      },
    ),
  );
});

test('windows count in the records of announces, from their begin until their end by the clock', async () => {
  const clock = new SimClock();
  const world = await TestTracker.start({ clock });
  const udp = await UdpClient.open(world.port);
  try {
    await udp.connect();
    const nowMs = clock.nowMs();
    const until = { fromMs: nowMs + 60_000, untilMs: nowMs + 120_000 };
    await world.tell(
      memberMessage(1, 'alice'),
      memberMessage(2, 'bob'),
      torrentMessage(1, HASH),
      window(1, { memberId: 1, uploadCreditPercent: 200, ...until }),
    );
    const announce = async (key: string, downloaded: number, event?: 'started') => {
      const peer: ClientAnnounce = {
        infoHash: HASH,
        peerId: `-SK0001-${key.padEnd(12, '.')}`,
        left: 9,
      };
      await udp.announce(
        { ...peer, downloaded, ...(event === undefined ? {} : { event }) },
        `/${key}/announce`,
      );
    };
    await announce('alice', 0, 'started');
    await announce('bob', 0, 'started');
    await announce('alice', 10);
    clock.advance(60_000);
    await announce('alice', 20);
    await announce('bob', 10);
    clock.advance(60_000);
    await announce('alice', 30);
    // The last batch waits no longer than a second.
    clock.advance(2000);
    const records = (await world.transfers()).filter((one) => one.downloadedDelta > 0);
    assert.deepEqual(
      records.map((one) => [
        one.memberId,
        one.downloadedDelta,
        one.uploadCreditPercent,
        one.downloadCreditPercent,
      ]),
      [
        [1, 10, 100, 100],
        [1, 10, 200, 0],
        [2, 10, 100, 100],
        [1, 10, 100, 100],
      ],
    );
  } finally {
    await udp.close();
    await world.close();
  }
});
