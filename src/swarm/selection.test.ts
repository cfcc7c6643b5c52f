import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { announceOf, hashOf, numbersOf, smallSwarm } from '#sim/announces.ts';
import { SimClock } from '#sim/clock.ts';
import { EVENT } from './announce-slot.ts';
import { Swarm } from './swarm.ts';

// Each peer of n is in an answer of k with chance k/n. Over many answers the counts vary with
// r*(k/n)*(1-k/n), a little less than Poisson's, and sum to a constant: the statistic below is
// chi-square with n-1 degrees. The bound is its mean plus five standard deviations; with a fixed
// seed the outcome is the same each time.
const CASES = [
  { peers: 5, want: 3 },
  { peers: 60, want: 50 },
  { peers: 150, want: 50 },
  { peers: 400, want: 50 },
  { peers: 1000, want: 30 },
];

for (const { peers, want } of CASES) {
  for (const history of ['grown', 'with removals']) {
    test(`T12: ${want} of ${peers} peers (${history}) are chosen uniformly and without repeats`, () => {
      const { swarm, members } = swarmOf(peers, history === 'with removals');
      const answers = Math.ceil((peers * 400) / want);
      const counts = countChosen(swarm, { want, answers, asker: 0 });
      assert.deepEqual([...counts.keys()].sort(ascending), members);
      const statistic = chiSquare([...counts.values()], (answers * want) / peers, want / peers);
      assert.ok(statistic < bound(peers), `chi-square ${statistic} for ${peers - 1} degrees`);
      assert.ok(statistic > 2 * (peers - 1) - bound(peers), 'too even to be random');
    });
  }
}

test('T12: a peer of the swarm that asks gets the others uniformly and never itself', () => {
  const { swarm, members } = swarmOf(300, true);
  const asker = members[7]!;
  const counts = countChosen(swarm, { want: 30, answers: 4000, asker });
  assert.equal(counts.has(asker), false);
  assert.equal(counts.size, 299);
  const statistic = chiSquare([...counts.values()], (4000 * 30) / 299, 30 / 299);
  assert.ok(statistic < bound(299), `chi-square ${statistic}`);
});

test('T12: the few peers of a large hybrid swarm that have the asked hash are all found', () => {
  const swarm = newSwarm();
  swarm.addTorrent(2, { v1: hashOf(2), v2: hashOf(2, 2) });
  for (let member = 1; member <= 1000; member++) {
    const hashVersion = member % 200 === 0 ? 2 : 1;
    join(swarm, { memberId: member, torrentId: 2, hashVersion });
  }
  const into = new Uint8Array(6 * 50);
  const request = announceOf({ memberId: 2000, torrentId: 2, hashVersion: 2 });
  assert.equal(swarm.select(request, 4, 50, into), 5);
  assert.equal(swarm.select(request, 4, 1, into), 1);
});

function swarmOf(peers: number, hasRemovals: boolean): { swarm: Swarm; members: number[] } {
  const swarm = newSwarm();
  swarm.addTorrent(1, { v1: hashOf(1) });
  const random = new SeededRandom(3);
  const members = new Set<number>();
  for (let member = 1; member <= peers * (hasRemovals ? 3 : 1); member++) {
    join(swarm, { memberId: member, left: random.u32() % 3 === 0 ? 0 : 5 });
    members.add(member);
  }
  for (const member of [...members].sort(() => (random.u32() & 1) - 0.5)) {
    if (members.size === peers) break;
    join(swarm, { memberId: member, event: EVENT.stopped });
    members.delete(member);
  }
  return { swarm, members: [...members].sort(ascending) };
}

function newSwarm(): Swarm {
  const config = smallSwarm({ membersMax: 4096 });
  const memory = Swarm.reserve(config);
  return new Swarm({ memory, clock: new SimClock(), random: new SeededRandom(5), config });
}

function join(swarm: Swarm, changes: Parameters<typeof announceOf>[0]): void {
  const request = announceOf(changes);
  assert.equal(swarm.begin(request).refused, 'none');
  swarm.settle(request, numbersOf(request));
}

/** How often each member's address was in an answer; the address ends with the member's number. */
function countChosen(
  swarm: Swarm,
  run: { want: number; answers: number; asker: number },
): Map<number, number> {
  const into = new Uint8Array(6 * run.want);
  const request = announceOf({ memberId: run.asker || 0xffff });
  const counts = new Map<number, number>();
  for (let answer = 0; answer < run.answers; answer++) {
    const count = swarm.select(request, 4, run.want, into);
    assert.equal(count, run.want);
    const seen = new Set<number>();
    for (let at = 0; at < count * 6; at += 6) {
      const member = into[at + 1]! * 65_536 + into[at + 2]! * 256 + into[at + 3]!;
      seen.add(member);
      counts.set(member, (counts.get(member) ?? 0) + 1);
    }
    assert.equal(seen.size, count, 'no repeats');
  }
  return counts;
}

function chiSquare(counts: readonly number[], expected: number, chance: number): number {
  let sum = 0;
  for (const count of counts) sum += (count - expected) ** 2 / (expected * (1 - chance));
  // Drawing without repeats makes the counts vary by n/(n-1) more than this sum's terms say.
  return (sum * (counts.length - 1)) / counts.length;
}

function bound(peers: number): number {
  return peers - 1 + 5 * Math.sqrt(2 * (peers - 1));
}

function ascending(a: number, b: number): number {
  return a - b;
}
