import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { AddressMemory, reserveAddressMemory } from './address-memory.ts';

function newMemory(clock = new SimClock()): AddressMemory {
  return new AddressMemory({
    clock,
    memory: reserveAddressMemory(new SeededRandom(5), clock.nowMs()),
    announcedMsMax: 3_600_000,
    staleMax: 3,
  });
}

function addressOf(value: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

test('an address has announced for as long as was set', () => {
  const clock = new SimClock();
  const memory = newMemory(clock);
  memory.announced(addressOf(1), 4);
  assert.ok(memory.hasAnnounced(addressOf(1), 4));
  assert.ok(!memory.hasAnnounced(addressOf(2), 4));
  assert.ok(!memory.hasAnnounced(addressOf(1), 6));
  clock.advance(3_600_000);
  assert.ok(memory.hasAnnounced(addressOf(1), 4));
  clock.advance(1000);
  assert.ok(!memory.hasAnnounced(addressOf(1), 4));
});

test('of more addresses than there is room for, those that announce again stay', () => {
  const clock = new SimClock();
  const memory = newMemory(clock);
  for (let value = 0; value < 200_000; value++) {
    if (value % 1000 === 0) {
      clock.advance(1000);
      memory.announced(addressOf(7), 4);
    }
    memory.announced(addressOf(1000 + value), 4);
  }
  assert.ok(memory.hasAnnounced(addressOf(7), 4));
  assert.ok(memory.hasAnnounced(addressOf(200_999), 4));
});

test('expired ids are answered as often per address as was set, anew after two minutes', () => {
  const clock = new SimClock();
  const memory = newMemory(clock);
  const answered = (): number => {
    let count = 0;
    for (let index = 0; index < 10; index++) {
      if (memory.mayAnswerStale(addressOf(1), 4)) count++;
    }
    return count;
  };
  assert.equal(answered(), 3);
  assert.ok(memory.mayAnswerStale(addressOf(2), 4));
  clock.advance(119_000);
  assert.equal(answered(), 0);
  clock.advance(1000);
  assert.equal(answered(), 3);
});

test('T6: an address that announced at one thread may scrape at another, and its share is one', () => {
  const clock = new SimClock();
  const shared = {
    clock,
    memory: reserveAddressMemory(new SeededRandom(5), clock.nowMs()),
    announcedMsMax: 3_600_000,
    staleMax: 3,
  };
  const one = new AddressMemory(shared);
  const other = new AddressMemory(shared);
  one.announced(addressOf(1), 4);
  assert.ok(other.hasAnnounced(addressOf(1), 4));
  assert.ok(!other.hasAnnounced(addressOf(2), 4));
  const asked = [one, other, one, other].map((each) => each.mayAnswerStale(addressOf(1), 4));
  assert.deepEqual(asked, [true, true, true, false]);
});
