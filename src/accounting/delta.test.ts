import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { BaselineNumbers } from '#accounting/baselines/baseline.ts';
import { TRANSFER_EVENT, type TransferEvent } from '#accounting/transfers/transfer-record.ts';
import {
  computeDelta,
  type DeltaInput,
  type DeltaResult,
  followDelta,
  newDeltaResult,
} from './delta.ts';

const NOW = 1_763_700_000;

const BEFORE: BaselineNumbers = {
  uploaded: 1000,
  downloaded: 500,
  key: 7,
  sequence: 4,
  higherAtSeconds: NOW - 60,
  left: 300,
  completed: false,
};

function announce(over: Partial<DeltaInput> = {}): DeltaResult {
  const result = newDeltaResult();
  computeDelta(
    {
      known: true,
      previous: BEFORE,
      event: TRANSFER_EVENT.none,
      uploaded: 1000,
      downloaded: 500,
      left: 300,
      key: 7,
      nowSeconds: NOW,
      resetAfterSeconds: 120,
      ...over,
    },
    result,
  );
  return result;
}

test('a first sight credits nothing, whatever the event says', () => {
  for (const event of Object.values(TRANSFER_EVENT)) {
    const result = announce({ known: false, event, uploaded: 9e9, downloaded: 8e9 });
    assert.equal(result.kind, 'first');
    assert.deepEqual([result.uploadedDelta, result.downloadedDelta], [0, 0]);
    assert.equal(result.next.uploaded, 9e9);
    assert.equal(result.next.sequence, 1);
  }
});

test('counters that grew credit the difference and become the baseline', () => {
  for (const event of Object.values(TRANSFER_EVENT)) {
    const result = announce({ event, uploaded: 1700, downloaded: 501 });
    assert.equal(result.kind, 'credit');
    assert.deepEqual([result.uploadedDelta, result.downloadedDelta], [700, 1]);
    assert.deepEqual(
      [result.next.uploaded, result.next.downloaded, result.next.sequence],
      [1700, 501, 5],
    );
    assert.equal(result.next.higherAtSeconds, NOW);
  }
});

test('the same counters again credit nothing and keep the baseline fresh', () => {
  const result = announce();
  assert.deepEqual([result.kind, result.uploadedDelta], ['credit', 0]);
  assert.equal(result.next.higherAtSeconds, NOW);
});

test('when either counter is lower both credit nothing, and the higher baseline stays', () => {
  for (const lower of [
    { uploaded: 999, downloaded: 900 },
    { uploaded: 5000, downloaded: 499 },
  ]) {
    const result = announce(lower);
    assert.equal(result.kind, 'late');
    assert.deepEqual([result.uploadedDelta, result.downloadedDelta], [0, 0]);
    assert.deepEqual([result.next.uploaded, result.next.downloaded], [1000, 500]);
    assert.equal(result.next.sequence, 5);
    assert.equal(result.next.higherAtSeconds, NOW - 60);
    assert.equal(result.next.left, 300);
  }
});

test('lower counters become the baseline with started', () => {
  const result = announce({ event: TRANSFER_EVENT.started, uploaded: 0, downloaded: 0 });
  assert.equal(result.kind, 'reset');
  assert.deepEqual([result.uploadedDelta, result.downloadedDelta], [0, 0]);
  assert.deepEqual([result.next.uploaded, result.next.sequence], [0, 5]);
});

test('lower counters become the baseline with another key, but not when either has none', () => {
  assert.equal(announce({ uploaded: 1, key: 8 }).kind, 'reset');
  assert.equal(announce({ uploaded: 1, key: 0 }).kind, 'late');
  assert.equal(announce({ uploaded: 1, key: 8, previous: { ...BEFORE, key: 0 } }).kind, 'late');
});

test('lower counters become the baseline when nobody announced the higher ones for 120 s', () => {
  const previous = { ...BEFORE, higherAtSeconds: NOW - 119 };
  assert.equal(announce({ uploaded: 1, previous }).kind, 'late');
  assert.equal(
    announce({ uploaded: 1, previous: { ...previous, higherAtSeconds: NOW - 120 } }).kind,
    'reset',
  );
});

test('late announces do not put off the time at which lower counters are believed', () => {
  let previous: BaselineNumbers = { ...BEFORE, higherAtSeconds: NOW };
  for (let seconds = 30; seconds < 120; seconds += 30) {
    const late = announce({ uploaded: 1, previous, nowSeconds: NOW + seconds });
    assert.equal(late.kind, 'late');
    previous = { ...late.next };
  }
  assert.equal(announce({ uploaded: 1, previous, nowSeconds: NOW + 120 }).kind, 'reset');
});

test('a clock that stood ahead delays a reset by no more than the usual time', () => {
  const previous = { ...BEFORE, higherAtSeconds: NOW + 1_000_000 };
  const late = announce({ uploaded: 1, previous });
  assert.equal(late.kind, 'late');
  assert.equal(announce({ uploaded: 1, previous: late.next, nowSeconds: NOW + 120 }).kind, 'reset');
});

test('a torrent completes once on a baseline, by event or by left reaching 0', () => {
  const { completed, none, started, stopped } = TRANSFER_EVENT;
  assert.equal(announce({ event: completed, left: 0 }).completes, true);
  assert.equal(announce({ event: none, left: 0 }).completes, true);
  assert.equal(announce({ event: stopped, left: 0 }).completes, true);
  assert.equal(announce({ event: completed, left: 0 }).next.completed, true);
  const done = { ...BEFORE, left: 0, completed: true };
  assert.equal(announce({ event: completed, left: 0, previous: done }).completes, false);
  const missingAgain = { ...BEFORE, left: 100, completed: true };
  assert.equal(announce({ event: none, left: 0, previous: missingAgain }).completes, false);
  assert.equal(announce({ known: false, event: started, left: 0 }).completes, false);
  assert.equal(announce({ known: false, event: none, left: 0 }).completes, false);
  assert.equal(announce({ known: false, event: completed, left: 0 }).completes, true);
  assert.equal(announce({ event: completed, left: 5 }).completes, false);
});

test('a late completed still completes, and a late announce is not believed about left', () => {
  const late = { uploaded: 1, left: 0 };
  assert.equal(announce({ ...late, event: TRANSFER_EVENT.completed }).completes, true);
  assert.equal(announce({ ...late, event: TRANSFER_EVENT.completed }).next.left, 0);
  assert.equal(announce(late).completes, false);
  assert.equal(announce(late).next.left, 300);
});

test('the result may be computed over the numbers it was computed from', () => {
  const result = newDeltaResult();
  Object.assign(result.next, BEFORE);
  const input: DeltaInput = {
    known: true,
    previous: result.next,
    event: TRANSFER_EVENT.none,
    uploaded: 1500,
    downloaded: 700,
    left: 100,
    key: 7,
    nowSeconds: NOW,
    resetAfterSeconds: 120,
  };
  computeDelta(input, result);
  assert.deepEqual([result.uploadedDelta, result.downloadedDelta], [500, 200]);
});

/** A client's announces one after the other, each so many seconds after the one before. */
class Client {
  readonly result = newDeltaResult();
  credited = 0;
  #known = false;
  #now = NOW;

  /** Says what became of it, and how much it was credited, as `kind +bytes`. */
  says(up: number, over: Partial<DeltaInput> = {}, afterSeconds = 1): string {
    this.#now += afterSeconds;
    const { result } = this;
    computeDelta(
      {
        ...{ known: this.#known, previous: result.next, event: TRANSFER_EVENT.none },
        ...{ uploaded: up, downloaded: 0, left: 300, key: 7 },
        ...{ nowSeconds: this.#now, resetAfterSeconds: 120, ...over },
      },
      result,
    );
    this.#known = true;
    this.credited += result.uploadedDelta;
    return `${result.kind} +${result.uploadedDelta}`;
  }
}

const STARTED = { event: TRANSFER_EVENT.started } as const;
const STOPPED = { event: TRANSFER_EVENT.stopped } as const;
const HOUR = 3600;

test('a goodbye of the session before that comes after the restart credits and closes nothing', () => {
  for (const late of [1, HOUR]) {
    const client = new Client();
    client.says(0, STARTED);
    client.says(1000);
    client.says(1000, STOPPED);
    assert.equal(client.says(0, STARTED), 'reset +0');
    assert.equal(client.says(1000, STOPPED, late), 'stale +0');
    assert.equal(client.result.next.uploaded, 0);
    assert.equal(client.says(300), 'credit +300');
    assert.equal(client.says(1000, STOPPED), 'stale +0');
    assert.equal(client.says(1500), 'credit +1200');
  }
});

test('a restart that keeps its key is credited from its first byte', () => {
  const client = new Client();
  client.says(0, STARTED);
  client.says(1000);
  client.says(0, STARTED);
  assert.equal(client.says(500), 'credit +500');
  assert.equal(client.says(1200), 'credit +700');
  client.says(0, STARTED);
  assert.equal(client.says(200, STOPPED), 'credit +200');
  assert.equal(client.credited, 2400);
});

test('after a session of several announces the same or less waits two minutes for its credit', () => {
  const client = new Client();
  for (const up of [0, 400, 1000]) client.says(up);
  client.says(0, STARTED);
  assert.equal(client.says(400), 'stale +0');
  assert.equal(client.says(900), 'stale +0');
  assert.equal(client.says(950, {}, 120), 'credit +950');
  client.says(0, STARTED);
  // A goodbye that is not the one before is believed at once, and so is whatever passes it.
  assert.equal(client.says(600, STOPPED), 'credit +600');
  client.says(0, STARTED);
  assert.equal(client.says(951), 'credit +951');
});

test('a late announce makes its session one of several announces', () => {
  const client = new Client();
  client.says(0, STARTED);
  client.says(1000);
  assert.equal(client.says(900), 'late +0');
  client.says(0, STARTED);
  assert.equal(client.says(900), 'stale +0');
});

test('a packet with the key of an earlier session is told apart, whenever it comes', () => {
  const client = new Client();
  client.says(0, { ...STARTED, key: 1 });
  client.says(1000, { key: 1 });
  assert.equal(client.says(0, { ...STARTED, key: 2 }), 'reset +0');
  for (const [up, seconds] of [
    [1000, 1],
    [500, HOUR],
    [0, 1],
  ] as const) {
    assert.equal(client.says(up, { key: 1 }, seconds), 'stale +0');
    assert.equal(client.says(up, { key: 1, ...STARTED }), 'stale +0');
  }
  assert.equal(client.says(5000, { key: 2 }), 'credit +5000');
  // What nobody had seen of it is credited as far as the other session was not.
  assert.equal(client.says(1200, { key: 1 }), 'stale +0');
  assert.equal(client.says(6500, { key: 1 }), 'resumed +500');
  assert.equal(client.says(5600, { key: 2 }), 'resumed +100');
});

test('an ended session with another key is over, also beside a later one of that key', () => {
  const client = new Client();
  for (const up of [0, 400, 1000]) client.says(up, { key: 1 });
  client.says(0, { ...STARTED, key: 1 });
  client.says(100, { key: 1, ...STOPPED });
  client.says(0, { ...STARTED, key: 2 });
  assert.equal(client.says(400, { key: 1 }, HOUR), 'stale +0');
  assert.equal(client.says(700, { key: 2 }), 'credit +700');
});

test('two keys that take turns are two reports of the same bytes', () => {
  const client = new Client();
  client.says(0, { key: 1 });
  client.says(1000, { key: 1 });
  assert.equal(client.says(200, { key: 2 }), 'reset +0');
  assert.equal(client.says(1100, { key: 1 }), 'resumed +100');
  assert.equal(client.says(300, { key: 2 }), 'stale +0');
  assert.equal(client.says(350, { key: 2 }), 'resumed +50');
});

test('two tiers with counters of their own that take turns after silences are credited once', () => {
  const client = new Client();
  client.says(0, STARTED);
  client.says(1000);
  assert.equal(client.says(200, {}, 130), 'reset +0');
  assert.equal(client.says(1100, {}, 130), 'resumed +100');
  for (let moved = 200; moved < 1000; moved += 100) {
    assert.equal(client.says(100 + moved, {}, 130), 'late +0');
    assert.equal(client.says(1000 + moved, {}, 130), 'credit +100');
  }
  assert.equal(client.credited, 1900);
});

test('what the lower tier was credited with, the higher one must pass', () => {
  const client = new Client();
  client.says(0, STARTED);
  client.says(1000);
  client.says(200, {}, 130);
  assert.equal(client.says(500), 'credit +300');
  assert.equal(client.says(1200, {}, 130), 'resumed +0');
  assert.equal(client.says(1250), 'resumed +0');
  assert.equal(client.says(1400), 'resumed +100');
  assert.equal(client.says(1500), 'credit +100');
  assert.equal(client.credited, 1500);
});

test('a third tier is late when two were seen to take turns', () => {
  const client = new Client();
  client.says(0, STARTED);
  client.says(1000);
  client.says(200, {}, 130);
  client.says(1100, {}, 130);
  assert.equal(client.says(700, {}, 130), 'late +0');
  assert.equal(client.says(250, {}, 130), 'late +0');
  assert.equal(client.says(800, {}, 130), 'late +0');
  assert.equal(client.says(1300, {}, 130), 'credit +200');
});

test('a restart without a word is credited, but for what the session before had moved', () => {
  const client = new Client();
  client.says(0, STARTED);
  client.says(1000);
  assert.equal(client.says(100, {}, HOUR), 'reset +0');
  assert.equal(client.says(900, {}, HOUR), 'credit +800');
  assert.equal(client.says(1700, {}, HOUR), 'resumed +0');
  assert.equal(client.says(2500, {}, HOUR), 'resumed +700');
  assert.equal(client.says(3000, {}, HOUR), 'credit +500');
});

test('a tier that is late while the other is heard stays late', () => {
  const client = new Client();
  client.says(0, STARTED);
  client.says(1000);
  client.says(200, {}, 130);
  client.says(1100, {}, 1);
  assert.equal(client.says(900, {}, 1), 'late +0');
});

test('sessions are remembered up to four, and then a key never seen needs a word or a silence', () => {
  const client = new Client();
  client.says(1000, { key: 1 });
  for (const key of [2, 3, 4, 5]) {
    assert.equal(client.says(1, { key }), 'reset +0');
    assert.equal(client.says(2000, { key }), 'credit +1999');
  }
  // All four places are taken, so that it may be one that was forgotten.
  assert.equal(client.says(1, { key: 6 }), 'stale +0');
  assert.equal(client.says(9000, { key: 6 }), 'stale +0');
  assert.equal(client.says(1, { key: 6, ...STARTED }), 'reset +0');
  assert.equal(client.says(2, { key: 7 }, 130), 'credit +1');
  assert.equal(client.says(1, { key: 8 }, 130), 'reset +0');
});

test('more tiers than are remembered are late, not credited', () => {
  const client = new Client();
  client.says(6000);
  for (const up of [5000, 4000, 3000, 2000]) assert.equal(client.says(up, {}, 130), 'reset +0');
  assert.equal(client.says(1000, {}, 130), 'late +0');
  assert.equal(client.says(6001, {}, 130), 'resumed +1');
  assert.equal(client.credited, 1);
});

test('followed from its records alone, a baseline has the same streams', () => {
  const step = fc.record({
    event: fc.constantFrom<TransferEvent[]>(0, 0, 0, 1, 2, 3),
    uploaded: fc.nat(6).map((up) => up * 100),
    downloaded: fc.nat(2).map((down) => down * 100),
    key: fc.nat(3),
    seconds: fc.constantFrom(1, 50, 130, 4000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const live = newDeltaResult();
      const followed = newDeltaResult();
      let known = false;
      let nowSeconds = NOW;
      for (const { seconds, ...announce } of steps) {
        nowSeconds += seconds;
        const times = { nowSeconds, resetAfterSeconds: 120 };
        computeDelta({ ...announce, ...times, left: 9, known, previous: live.next }, live);
        if (live.kind === 'stale') continue;
        const { next, overlaps } = live;
        const { uploaded, downloaded } = next;
        const event = overlaps ? 0 : announce.event;
        const told = { ...announce, event, uploaded, downloaded, left: next.left };
        assert.ok(
          followDelta({ ...told, ...times, known, previous: followed.next }, followed, live),
        );
        const { count, numbers } = followed.next.streams;
        assert.equal(count, next.streams.count);
        assert.deepEqual(numbers.slice(0, count * 7), next.streams.numbers.slice(0, count * 7));
        assert.deepEqual({ ...followed.next, streams: 0 }, { ...next, streams: 0 });
        known = true;
      }
    }),
    { numRuns: 2000 },
  );
});

const counter = fc.oneof(fc.nat(2000), fc.maxSafeNat());
const step = fc.record({
  event: fc.constantFrom<TransferEvent[]>(0, 1, 2, 3, 4),
  uploaded: counter,
  downloaded: counter,
  left: fc.oneof(fc.constant(0), counter),
  key: fc.nat(2),
  seconds: fc.integer({ min: -200, max: 400 }),
});

test('no credit is ever negative or more than the counters moved, and the chain has no gap', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const result = newDeltaResult();
      let known = false;
      let nowSeconds = NOW;
      let completions = 0;
      for (const { seconds, ...input } of steps) {
        nowSeconds += seconds;
        const previous = { ...result.next };
        computeDelta({ known, previous, nowSeconds, resetAfterSeconds: 120, ...input }, result);
        assert.ok(result.uploadedDelta >= 0 && result.downloadedDelta >= 0);
        const isStale = result.kind === 'stale';
        assert.equal(result.next.sequence, known ? previous.sequence + (isStale ? 0 : 1) : 1);
        if (result.kind === 'resumed') {
          assert.ok(result.uploadedDelta <= input.uploaded);
          assert.ok(result.downloadedDelta <= input.downloaded);
        } else if (result.kind === 'credit') {
          assert.equal(result.uploadedDelta, input.uploaded - previous.uploaded);
          assert.equal(result.next.uploaded - result.uploadedDelta, previous.uploaded);
          assert.equal(result.next.downloaded - result.downloadedDelta, previous.downloaded);
        } else assert.equal(result.uploadedDelta + result.downloadedDelta, 0);
        if (result.kind === 'late' || isStale) {
          assert.equal(result.next.uploaded, previous.uploaded);
          assert.equal(result.next.downloaded, previous.downloaded);
        }
        if (result.completes) completions++;
        known = true;
      }
      assert.ok(completions <= 1);
    }),
    { numRuns: 1000 },
  );
});

test('announces of one session in any order, any number of times, credit what moved and no more', () => {
  const session = fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { minLength: 1, maxLength: 12 });
  const order = fc.infiniteStream(fc.nat(1_000_000));
  fc.assert(
    fc.property(session, order, (moves, draws) => {
      let uploaded = 0;
      let downloaded = 0;
      const announces = moves.map(([up, down]) => {
        uploaded += up;
        downloaded += down;
        return { uploaded, downloaded };
      });
      const first = announces[0]!;
      const result = newDeltaResult();
      computeDelta({ ...PLAIN, known: false, previous: result.next, ...first }, result);
      let credited = 0;
      // Each is sent up to three times, overtaking the others, within two minutes.
      for (let sent = 0; sent < announces.length * 3; sent++) {
        const one = announces[(draws.next().value ?? 0) % announces.length]!;
        computeDelta({ ...PLAIN, known: true, previous: { ...result.next }, ...one }, result);
        credited += result.uploadedDelta + result.downloadedDelta;
      }
      const last = announces.at(-1)!;
      computeDelta({ ...PLAIN, known: true, previous: { ...result.next }, ...last }, result);
      credited += result.uploadedDelta + result.downloadedDelta;
      assert.equal(credited, last.uploaded - first.uploaded + (last.downloaded - first.downloaded));
    }),
  );
});

const PLAIN = { event: 0, left: 0, key: 7, nowSeconds: NOW, resetAfterSeconds: 120 } as const;
