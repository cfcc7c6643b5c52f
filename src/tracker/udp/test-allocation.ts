// What an announce by UDP takes from the heap, measured for one mode. A tracker's thread serves one mode, so
// each has a file and a process of its own: the engine compiles for what it has seen.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { inlineMore } from '#base/compiler.ts';
import { hashOf } from '#sim/announces.ts';
import { SlotSocket } from '#sim/slot-socket.ts';
import { memberMessage, TestTracker, torrentMessage } from '#sim/test-tracker.ts';

/** Few enough that what they allocate would not be collected on the way. */
const ANNOUNCES = 50_000;
/** Rounds until the compiler is surely done; the best one counts. */
const ROUNDS = 8;
const PEERS = 512;
const TORRENTS = 16;
const MEMBERS = 64;
/** What one announce may allocate: less than the smallest object, on average. */
const BYTES_MAX = 12;
const ANNOUNCE_BYTES = 98;

// As in a tracker thread.
inlineMore();

/** The test of that name. */
export function testAllocation(name: string, mode: 'open' | 'private'): void {
  test(name, async () => {
    const sockets: SlotSocket[] = [];
    const test = await TestTracker.start({
      openUdp: SlotSocket.opener((socket) => sockets.push(socket)),
      tracker: { mode, addresses: ['127.0.0.1'] },
      swarm: { announceIntervalMsMin: 0, peersPerMemberTorrentMax: 64 },
      // Records are kept until the test lets the log have its turn.
      accounting: { ack: 'memory', recordsPendingMax: 200_000, batchRecordsMax: 65_536 },
    });
    try {
      if (mode === 'private') {
        for (let id = 1; id <= MEMBERS; id++) await test.tell(memberMessage(id, passkeyOf(id)));
        for (let id = 1; id <= TORRENTS; id++) {
          await test.tell(torrentMessage(id, Buffer.from(hashOf(id)).toString('hex')));
        }
      }
      const socket = sockets[0];
      assert.ok(socket !== undefined);
      const door = new Driver(socket, mode === 'private');
      door.connect();
      // First sights wait for the baseline file; everybody is known afterwards.
      for (let round = 0; round < 3; round++) {
        door.announce(PEERS);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      let least = Number.POSITIVE_INFINITY;
      for (let round = 0; round < ROUNDS && least > BYTES_MAX; round++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        least = Math.min(least, allocatedBy(() => door.announce(ANNOUNCES), socket) / ANNOUNCES);
      }
      assert.ok(least < BYTES_MAX, `${least.toFixed(2)} bytes per announce`);
    } finally {
      await test.close();
    }
  });
}

/** Bytes that the announces took from the heap, with those that were forgotten at once. */
function allocatedBy(run: () => void, socket: SlotSocket): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const sent = socket.sent;
  const before = process.memoryUsage().heapUsed;
  run();
  const grown = process.memoryUsage().heapUsed - before;
  assert.equal(socket.sent - sent, ANNOUNCES, 'every announce was answered');
  assert.ok(grown > -1_000_000, 'nothing was collected meanwhile');
  return grown;
}

class Driver {
  readonly #socket: SlotSocket;
  readonly #isPrivate: boolean;
  #next = 0;

  constructor(socket: SlotSocket, isPrivate: boolean) {
    this.#socket = socket;
    this.#isPrivate = isPrivate;
  }

  connect(): void {
    const { input, output } = this.#socket;
    const { slotBytes, slotsMax } = input;
    Buffer.from(input.bytes.buffer).writeBigUInt64BE(0x417_2710_1980n, 0);
    input.lengths[0] = 16;
    input.count = 1;
    for (let slot = 0; slot < slotsMax; slot++) {
      input.addresses.set([10, 0, 0, 1], slot * 16);
      input.ports[slot] = 40_000;
    }
    this.#socket.receive();
    const id = output.bytes.slice(8, 16);
    for (let slot = 0; slot < slotsMax; slot++) input.bytes.set(id, slot * slotBytes);
  }

  announce(count: number): void {
    const { input } = this.#socket;
    for (let done = 0; done < count; ) {
      while (input.count < input.slotsMax && done < count) {
        this.#write(input.count * input.slotBytes, input.count);
        input.count++;
        done++;
      }
      this.#socket.receive();
    }
  }

  #write(at: number, slot: number): void {
    const { bytes, lengths } = this.#socket.input;
    const number = this.#next++;
    const peer = number % PEERS;
    bytes[at + 11] = 1;
    bytes.set(HASHES[peer % TORRENTS]!, at + 16);
    bytes[at + 54] = peer >>> 8;
    bytes[at + 55] = peer;
    // Uploaded grows, so that each one is credited.
    for (let byte = 0; byte < 4; byte++) bytes[at + 76 + byte] = number >>> ((3 - byte) * 8);
    bytes[at + 71] = peer % 3;
    bytes[at + 95] = 30;
    bytes[at + 96] = 16 + (peer >>> 8);
    bytes[at + 97] = peer;
    lengths[slot] = ANNOUNCE_BYTES;
    if (!this.#isPrivate) return;
    const option = OPTIONS[peer % MEMBERS]!;
    bytes.set(option, at + ANNOUNCE_BYTES);
    lengths[slot] = ANNOUNCE_BYTES + option.byteLength;
  }
}

const HASHES = Array.from({ length: TORRENTS }, (_, torrent) => hashOf(torrent + 1));
const OPTIONS = Array.from({ length: MEMBERS }, (_, member) => {
  const path = Buffer.from(`/${passkeyOf(member + 1)}/announce`);
  return new Uint8Array([2, path.byteLength, ...path]);
});

/** Digits that differ from their first ones on, as those of real passkeys do. */
function passkeyOf(member: number): string {
  const digits = (Math.imul(member, 0x9e37_79b1) >>> 0).toString(16).padStart(8, '0');
  return digits.repeat(4);
}
