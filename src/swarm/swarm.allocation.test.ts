import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SeededRandom } from '#base/random.ts';
import { addressOf, announceOf, hashOf, peerIdOf, smallSwarm } from '#sim/announces.ts';
import { SimClock } from '#sim/clock.ts';
import type { BaselineNumbers } from './baseline.ts';
import { Swarm } from './swarm.ts';

const ANNOUNCES = 1_000_000;
const PEERS = 2000;

test('an announce allocates nothing: a million of them leave the heap where it was', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const config = smallSwarm({ membersMax: 4096 });
  const memory = Swarm.reserve(config);
  const random = new SeededRandom(1);
  // A clock that stands: the system's own gives a fresh number, 16 bytes, whenever it is asked.
  const swarm = new Swarm({ memory, clock: new SimClock(), random, config });
  for (let id = 1; id <= 10; id++) swarm.addTorrent(id, { v1: hashOf(id) });
  const request = announceOf();
  const next = { uploaded: 0, downloaded: 0, key: 0, sequence: 0, higherAtSeconds: 0, left: 0 };
  const numbers: BaselineNumbers = { ...next, completed: false };
  const into = new Uint8Array(6 * 10);
  const peerIds = Array.from({ length: PEERS }, (_, peer) => peerIdOf(peer));
  const addresses = Array.from({ length: PEERS }, (_, peer) => addressOf(peer, 4));
  const run = (announces: number): void => {
    for (let count = 0; count < announces; count++) {
      const peer = random.u32() % PEERS;
      request.peerId.set(peerIds[peer]!);
      request.address.set(addresses[peer]!);
      request.memberId = peer + 1;
      request.torrentId = 1 + (peer % 10);
      request.left = count % 3;
      request.uploaded = count * 65_536;
      request.event = count % 50 === 0 ? 3 : 0;
      swarm.begin(request);
      swarm.select(request, 4, 10, into);
      swarm.settle(request, numbers);
    }
  };
  run(ANNOUNCES / 4);
  collect();
  const before = process.memoryUsage();
  run(ANNOUNCES);
  // Without a collection: what was allocated and forgotten counts too.
  const grown = process.memoryUsage().heapUsed - before.heapUsed;
  assert.ok(
    grown < ANNOUNCES && grown > -ANNOUNCES,
    `${(grown / ANNOUNCES).toFixed(2)} bytes per announce`,
  );
});
