// Answers and the disk (A6, A8): what waits for its record, what is answered at once, and what becomes
// of answers and baselines when the log cannot take a record.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { CodedError } from '#base/errors.ts';
import type { Log } from '#log/log.ts';
import { SimClock } from '#sim/clock.ts';
import { announceTarget, HttpClient } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';
import { type ClientAnnounce, UdpClient } from '#sim/udp-client.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const PEER: ClientAnnounce = { infoHash: HASH, peerId: '-SK0001-durability..', left: 9 };
const ALICE = '/alice/announce';

/** The log, with appends of transfers that can be held up or made to fail. */
class Gate {
  isShut = false;
  fails = 0;
  appends = 0;
  #opened: (() => void)[] = [];

  wrap(log: Log): Log {
    return new Proxy(log, {
      get: (target, name) => {
        if (name !== 'append') {
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? value.bind(target) : value;
        }
        const append: Log['append'] = async (topic, records, options) => {
          if (topic === 'transfers') await this.#pass();
          return await target.append(topic, records, options);
        };
        return append;
      },
    });
  }

  open(): void {
    this.isShut = false;
    for (const run of this.#opened.splice(0)) run();
  }

  async #pass(): Promise<void> {
    this.appends++;
    if (this.isShut) await new Promise<void>((resolve) => this.#opened.push(resolve));
    if (this.fails === 0) return;
    this.fails--;
    throw new CodedError('LOG_APPEND_FAILED', 'the disk said no');
  }
}

interface Place {
  readonly world: TestTracker;
  readonly gate: Gate;
  readonly udp: UdpClient;
  readonly http: HttpClient;
}

async function withGate(
  run: (place: Place) => Promise<void>,
  options: Parameters<typeof TestTracker.start>[0] = {},
): Promise<void> {
  const gate = new Gate();
  const world = await TestTracker.start({ ...options, wrapLog: (log) => gate.wrap(log) });
  const udp = await UdpClient.open(world.port);
  const http = await HttpClient.open(world.port);
  try {
    await udp.connect();
    await world.tell(memberMessage(1, 'alice'), memberMessage(2, 'bob'), torrentMessage(1, HASH));
    await run({ world, gate, udp, http });
  } finally {
    gate.open();
    http.close();
    await udp.close();
    await world.close();
  }
}

test('started, completed, stopped and a first sight are answered when their record is on disk', async () => {
  await withGate(async ({ gate, udp, world }) => {
    const steps = [
      { ...PEER, uploaded: 1 },
      { ...PEER, event: 'started', uploaded: 2 },
      { ...PEER, event: 'completed', uploaded: 3, left: 0 },
      { ...PEER, event: 'stopped', uploaded: 4, left: 0 },
    ] as const;
    for (const step of steps) {
      gate.isShut = true;
      const packet = udp.announcePacket(step, ALICE);
      assert.equal(await udp.ask(packet, 60), undefined, `${JSON.stringify(step)} waits`);
      await until(() => world.tracker.stats().waiting === 1);
      // The retransmission joins the one that waits; both are answered.
      const again = udp.ask(packet);
      await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(world.tracker.stats().waiting, 1);
      gate.open();
      assert.equal((await again)?.action, 'announce');
    }
    assert.deepEqual(
      (await world.transfers()).map((record) => record.sequence),
      [1, 2, 3, 4],
    );
  });
});

test('an ordinary announce is answered although its record is not on disk yet', async () => {
  await withGate(async ({ gate, udp }) => {
    await udp.announce({ ...PEER, event: 'started' }, ALICE);
    gate.isShut = true;
    assert.equal((await udp.announce({ ...PEER, uploaded: 5 }, ALICE))?.action, 'announce');
    gate.open();
  });
});

test('what builds on a baseline that is not on disk yet waits with it', async () => {
  await withGate(async ({ gate, udp }) => {
    gate.isShut = true;
    const first = udp.ask(udp.announcePacket({ ...PEER, event: 'started' }, ALICE));
    await until(() => gate.appends === 1);
    const second = udp.announcePacket({ ...PEER, uploaded: 5 }, ALICE);
    assert.equal(await udp.ask(second, 60), undefined);
    gate.open();
    assert.equal((await first)?.action, 'announce');
  });
});

test('a waiting answer closes its batch: it does not wait out batchAgeMsMax', async () => {
  await withGate(
    async ({ udp }) => {
      const answer = await udp.announce({ ...PEER, event: 'started' }, ALICE);
      assert.equal(answer?.action, 'announce');
    },
    // By this clock no batch grows old.
    { clock: new SimClock() },
  );
});

test('ack = "memory" answers at once', async () => {
  await withGate(
    async ({ gate, udp }) => {
      gate.isShut = true;
      assert.equal((await udp.announce({ ...PEER, event: 'started' }, ALICE))?.action, 'announce');
      gate.open();
    },
    { accounting: { ack: 'memory' } },
  );
});

test('after a failed append nobody who waited is answered, and the bytes come with the next announce', async () => {
  await withGate(async ({ gate, udp, http, world }) => {
    await udp.announce({ ...PEER, event: 'started', uploaded: 100 }, ALICE);
    // Two ordinary ones and a waiting one share the batch that is lost.
    gate.isShut = true;
    gate.fails = 1;
    const other = { ...PEER, peerId: '-SK0001-other.......', uploaded: 1000 };
    await udp.announce({ ...PEER, uploaded: 150 }, ALICE);
    await udp.announce({ ...PEER, uploaded: 170 }, ALICE);
    const target = announceTarget('/bob/announce', { ...other, event: 'started' });
    http.send(`GET ${target} HTTP/1.1\r\nHost: t\r\n\r\n`);
    const stopped = udp.announcePacket({ ...PEER, event: 'stopped', uploaded: 180 }, ALICE);
    const noAnswer = udp.ask(stopped, 300);
    await until(() => world.tracker.stats().waiting === 2);
    gate.open();
    const overload = await http.answer();
    assert.equal(overload.status, 503);
    assert.equal(overload.headers.get('retry-after'), '10');
    assert.equal(await noAnswer, undefined);
    assert.equal(world.tracker.stats().recordsLost, 4);
    assert.equal((await world.transfers()).length, 1);
    // Both clients try again.
    assert.equal((await udp.ask(stopped))?.action, 'announce');
    const retry = await HttpClient.open(world.port);
    assert.equal((await retry.get(target)).failure, '');
    retry.close();
    const records = await world.transfers();
    assert.deepEqual(
      records.map((record) => [record.memberId, record.sequence, record.uploadedDelta]),
      [
        [1, 1, 0],
        [1, 2, 80],
        [2, 1, 0],
      ],
    );
  });
});

test('a full queue: ordinary announces are answered and summed up, important ones told to try again', async () => {
  await withGate(
    async ({ gate, udp, http, world }) => {
      await udp.announce({ ...PEER, event: 'started' }, ALICE);
      gate.isShut = true;
      for (const uploaded of [10, 20, 30, 40, 50]) {
        const answer = await udp.announce({ ...PEER, uploaded }, ALICE);
        assert.equal(answer?.action, 'announce', `${uploaded} is answered`);
      }
      assert.equal(world.tracker.stats().recordsPending, 2);
      const stop = udp.announcePacket({ ...PEER, event: 'stopped', uploaded: 60 }, ALICE);
      assert.equal(await udp.ask(stop, 60), undefined);
      const reset = udp.announcePacket({ ...PEER, uploaded: 1, key: 9 }, ALICE);
      assert.equal((await udp.ask(reset))?.action, 'announce');
      const fresh = { ...PEER, peerId: '-SK0001-fresh.......' };
      const answer = await http.get(announceTarget('/bob/announce', fresh));
      assert.equal(answer.status, 503);
      assert.ok(answer.headers.has('retry-after'));
      assert.ok(world.tracker.stats().backPressured >= 5);
      gate.open();
      await until(() => world.tracker.stats().recordsPending === 0);
      assert.equal((await udp.ask(stop))?.action, 'announce');
      const credited = (await world.transfers()).reduce((sum, each) => sum + each.uploadedDelta, 0);
      assert.equal(credited, 60);
    },
    { accounting: { recordsPendingMax: 2, batchRecordsMax: 2 } },
  );
});

test('waiting answers are bounded: what comes on top is told to try again', async () => {
  await withGate(
    async ({ gate, udp, http, world }) => {
      gate.isShut = true;
      const waiting: Promise<unknown>[] = [];
      for (let index = 0; index < 2; index++) {
        const peerId = `-SK0001-bound${index}......`;
        waiting.push(udp.ask(udp.announcePacket({ ...PEER, peerId, event: 'started' }, ALICE)));
      }
      await until(() => world.tracker.stats().waiting === 2);
      const third = { ...PEER, peerId: '-SK0001-bound2......', event: 'started' } as const;
      assert.equal((await http.get(announceTarget('/bob/announce', third))).status, 503);
      gate.open();
      for (const each of await Promise.all(waiting)) assert.notEqual(each, undefined);
    },
    { tracker: { waitingMax: 2 } },
  );
});

test('a connection on one address that ends leaves those on another waiting as they are', async () => {
  await withGate(async ({ gate, http, world }) => {
    gate.isShut = true;
    // Both listeners count their connections from one, so these two have the same number.
    const answer = http.get(announceTarget(ALICE, { ...PEER, event: 'started' }));
    await until(() => world.tracker.stats().waiting === 1);
    const other = connect({ port: world.port, host: '::1' });
    await once(other, 'connect');
    other.end();
    await once(other, 'close');
    gate.open();
    assert.equal((await answer).fields.get('incomplete'), 1);
  });
});

test('close() answers what waits, and everything it accepted is in the log', async () => {
  const gate = new Gate();
  const world = await TestTracker.start({
    wrapLog: (log) => gate.wrap(log),
    accounting: { batchAgeMsMax: 10_000 },
  });
  await world.tell(memberMessage(1, 'alice'), torrentMessage(1, HASH));
  const udp = await UdpClient.open(world.port);
  await udp.connect();
  await udp.announce({ ...PEER, event: 'started' }, ALICE);
  await udp.announce({ ...PEER, uploaded: 70 }, ALICE);
  gate.isShut = true;
  const last = udp.ask(udp.announcePacket({ ...PEER, event: 'stopped', uploaded: 90 }, ALICE));
  await until(() => world.tracker.stats().waiting === 1);
  const closing = world.tracker.close();
  gate.open();
  assert.equal((await last)?.action, 'announce');
  await closing;
  await world.restart();
  assert.deepEqual(
    (await world.transfers()).map((each) => each.uploadedDelta),
    [0, 70, 20],
  );
  await udp.close();
  await world.close();
});

test('a client that was silent for longer than the swarm remembers goes on from its old baseline', async () => {
  await withGate(
    async ({ udp, world }) => {
      await udp.announce({ ...PEER, event: 'started', uploaded: 100 }, ALICE);
      await udp.announce({ ...PEER, event: 'stopped', uploaded: 130 }, ALICE);
      await until(() => world.tracker.stats().swarm.silentBaselines === 0);
      // Neither its own start nor another client's goodbye is a first sight.
      await udp.announce({ ...PEER, event: 'stopped', uploaded: 150 }, ALICE);
      const records = await world.transfers();
      assert.deepEqual(
        records.map((record) => record.uploadedDelta),
        [0, 30, 20],
      );
      assert.deepEqual(
        records.map((record) => record.sequence),
        [1, 2, 3],
      );
    },
    { swarm: { baselineSilentMs: 1000 }, tracker: { sweepIntervalMs: 20 } },
  );
});

test('A8: with the topic `transfers` at its size nothing is lost, and nothing doubled after room is made', async () => {
  const log: Record<string, unknown> = { transfersBytesMax: 4096 };
  const world = await TestTracker.start({ log });
  // Overload closes the connection.
  const ask = async (announce: Partial<ClientAnnounce>) => {
    const http = await HttpClient.open(world.port);
    const answer = await http.get(announceTarget(ALICE, { ...PEER, ...announce }));
    http.close();
    return answer;
  };
  try {
    await world.tell(memberMessage(1, 'alice'), torrentMessage(1, HASH));
    assert.equal((await ask({ event: 'started' })).status, 200);
    let uploaded = 0;
    // Ordinary announces are answered whatever becomes of their records.
    while (world.tracker.stats().recordsLost === 0 && uploaded < 100_000) {
      uploaded += 1000;
      assert.equal((await ask({ uploaded })).status, 200);
      await until(() => world.tracker.stats().recordsPending === 0);
    }
    assert.ok(uploaded < 100_000, 'the topic reached its size');
    for (const event of ['completed', 'stopped'] as const) {
      uploaded += 1000;
      const refused = await ask({ event, uploaded, left: 0 });
      assert.deepEqual([refused.status, refused.headers.has('retry-after')], [503, true]);
    }
    const fresh = await ask({ peerId: '-SK0001-fresh.......' });
    assert.equal(fresh.status, 503);
    const before = (await world.transfers()).reduce((sum, each) => sum + each.uploadedDelta, 0);
    assert.ok(before < uploaded);
    log['transfersBytesMax'] = 1_048_576;
    await world.restart();
    for (let time = 0; time < 2; time++) {
      assert.equal((await ask({ event: 'stopped', uploaded, left: 0 })).status, 200);
    }
    const records = await world.transfers();
    const credited = records.reduce((sum, each) => sum + each.uploadedDelta, 0);
    assert.equal(credited, uploaded);
    assert.deepEqual(
      records.map((record) => record.sequence),
      records.map((_, at) => at + 1),
    );
  } finally {
    await world.close();
  }
});
