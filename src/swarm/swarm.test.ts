import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf, announceOf, hashOf, peerIdOf } from '#sim/announces.ts';
import { TestSwarm } from '#sim/test-swarm.ts';
import type { AnnounceOutcome } from './announce-outcome.ts';
import { type AnnounceRequest, DOOR, EVENT } from './announce-slot.ts';
import { newSwarmCounts } from './swarm-views.ts';

const HOUR_MS = 3_600_000;

test('T8: a hybrid torrent is one torrent: a peer with both hashes counts once', () => {
  const world = new TestSwarm();
  world.swarm.addTorrent(2, { v1: hashOf(2), v2: hashOf(2, 2) });
  world.announce({ torrentId: 2, hashVersion: 1 });
  const outcome = world.announce({ torrentId: 2, hashVersion: 2 });
  assert.equal(outcome.leechers, 1);
  assert.equal(world.swarm.torrentByHash(hashOf(2)), 2);
  assert.equal(world.swarm.torrentByHash(hashOf(2, 2)), 2);
});

test('T8: an asker by one hash version is given only peers that announced that version', () => {
  const world = new TestSwarm();
  world.swarm.addTorrent(2, { v1: hashOf(2), v2: hashOf(2, 2) });
  world.announce({ torrentId: 2, memberId: 1, hashVersion: 1 });
  world.announce({ torrentId: 2, memberId: 2, hashVersion: 2 });
  world.announce({ torrentId: 2, memberId: 3, hashVersion: 1 });
  world.announce({ torrentId: 2, memberId: 3, hashVersion: 2 });
  const asked = (hashVersion: number): string[] =>
    world.peersFor({ torrentId: 2, memberId: 4, hashVersion });
  assert.deepEqual(asked(1), ['10.0.0.1:6881', '10.0.0.3:6881']);
  assert.deepEqual(asked(2), ['10.0.0.2:6881', '10.0.0.3:6881']);
});

test('T8: `stopped` closes only the hash it came by, and the peer ends with its last', () => {
  const world = new TestSwarm();
  world.swarm.addTorrent(2, { v1: hashOf(2), v2: hashOf(2, 2) });
  world.announce({ torrentId: 2, hashVersion: 1 });
  world.announce({ torrentId: 2, hashVersion: 2 });
  assert.equal(world.stop({ torrentId: 2, hashVersion: 1 }).leechers, 1);
  assert.deepEqual(world.peersFor({ torrentId: 2, memberId: 9, hashVersion: 1 }), []);
  assert.equal(world.peersFor({ torrentId: 2, memberId: 9, hashVersion: 2 }).length, 1);
  assert.equal(world.stop({ torrentId: 2, hashVersion: 2 }).leechers, 0);
});

test('T8: a partial seed is counted apart and kept from those that have nothing to fetch', () => {
  const world = new TestSwarm();
  const outcome = world.announce({ memberId: 1, event: EVENT.paused });
  assert.deepEqual([outcome.leechers, outcome.partialSeeds], [0, 1]);
  world.announce({ memberId: 2 });
  world.announce({ memberId: 4, left: 0 });
  assert.deepEqual(world.peersFor({ memberId: 3, left: 0 }), ['10.0.0.2:6881']);
  assert.deepEqual(world.peersFor({ memberId: 1, event: EVENT.paused }), ['10.0.0.2:6881']);
  assert.equal(world.peersFor({ memberId: 3 }).length, 3);
});

test('T9: a member on both families is one peer that is handed out as two addresses', () => {
  const world = new TestSwarm();
  world.announce({ family: 4 });
  const outcome = world.announce({ family: 6 });
  assert.equal(outcome.leechers, 1);
  assert.equal(world.peersFor({ memberId: 2 }, 4).length, 1);
  assert.equal(world.peersFor({ memberId: 2 }, 6).length, 1);
  assert.equal(world.stop({ family: 4 }).leechers, 1);
  assert.equal(world.peersFor({ memberId: 2 }, 4).length, 0);
  assert.equal(world.peersFor({ memberId: 2 }, 6).length, 1);
  assert.equal(world.stop({ family: 6 }).leechers, 0);
});

test('T9: the address that falls silent ages alone', () => {
  const world = new TestSwarm();
  world.announce({ family: 4 });
  world.announce({ family: 6 });
  for (let minutes = 0; minutes < 60; minutes += 15) {
    world.clock.advance(15 * 60_000);
    world.announce({ family: 6 });
  }
  world.sweep();
  assert.equal(world.peersFor({ memberId: 2 }, 4).length, 0);
  assert.equal(world.peersFor({ memberId: 2 }, 6).length, 1);
  assert.equal(world.counts().leechers, 1);
});

test('T10: early is judged per hash, family and door, and never for events', () => {
  const world = new TestSwarm();
  world.swarm.addTorrent(2, { v1: hashOf(2), v2: hashOf(2, 2) });
  const ways: Partial<AnnounceRequest>[] = [
    { hashVersion: 1 },
    { hashVersion: 2 },
    { hashVersion: 1, family: 6 },
    { hashVersion: 1, door: DOOR.http },
  ];
  for (const way of ways) assert.equal(world.announce({ torrentId: 2, ...way }).early, false);
  world.clock.advance(120_000);
  for (const way of ways) {
    const again = { torrentId: 2, ...way };
    assert.equal(world.announce({ ...again, uploaded: 5 }).early, true);
    assert.equal(world.announce({ ...again, event: EVENT.completed, left: 0 }).early, false);
  }
});

test('T10: a client that always asks too often gets its peers once per interval', () => {
  const world = new TestSwarm({ announceIntervalMsMin: 300_000 });
  const judged: boolean[] = [];
  for (let minute = 0; minute < 8; minute += 2) {
    judged.push(world.announce({ uploaded: minute }).early);
    world.clock.advance(120_000);
  }
  assert.deepEqual(judged, [false, true, true, false]);
});

test('T10: the same request within 60 s is a repeat and not early; after that it is early', () => {
  const world = new TestSwarm();
  world.announce({});
  world.clock.advance(59_000);
  assert.deepEqual(judge(world.announce({})), { repeated: true, early: false });
  world.clock.advance(1000);
  assert.deepEqual(judge(world.announce({})), { repeated: false, early: true });
});

test('T10: what a peer remembers of an announce never wraps into looking recent', () => {
  const world = new TestSwarm({ peerAgeMsMax: 100 * HOUR_MS });
  world.swarm.addTorrent(2, { v1: hashOf(2), v2: hashOf(2, 2) });
  world.announce({ torrentId: 2, hashVersion: 2 });
  world.announce({ torrentId: 2, hashVersion: 1 });
  // 2^16 seconds later to the second, swept on the way.
  world.clock.advance(40_000_000);
  world.sweep();
  world.clock.advance(65_536_000 - 40_000_000);
  assert.deepEqual(judge(world.announce({ torrentId: 2, hashVersion: 1 })), {
    repeated: false,
    early: false,
  });
});

test('T11: the asker is not in its own answer, also under an older peer id of its address', () => {
  const world = new TestSwarm();
  world.announce({ peerId: peerIdOf(100) });
  world.announce({ peerId: peerIdOf(101) });
  assert.deepEqual(world.peersFor({ peerId: peerIdOf(101) }), []);
  // Nor under another member's, behind the same address.
  world.announce({ memberId: 2, address: addressOf(1, 4) });
  assert.deepEqual(world.peersFor({ peerId: peerIdOf(101) }), []);
  assert.equal(world.peersFor({ memberId: 3 }).length, 2);
});

test('T11: wanting none gives none, and more than peersPerAnswerMax gives that many', () => {
  const world = new TestSwarm({ peersPerAnswerMax: 20 });
  for (let member = 1; member <= 30; member++) world.announce({ memberId: member });
  assert.equal(world.peersFor({ memberId: 99 }, 4, 0).length, 0);
  assert.equal(world.peersFor({ memberId: 99 }, 4, 1000).length, 20);
});

test('T12: a seeder is given leechers only, a leecher everyone', () => {
  const world = new TestSwarm();
  for (let member = 1; member <= 6; member++)
    world.announce({ memberId: member, left: member % 2 });
  assert.equal(world.peersFor({ memberId: 2, left: 0 }).length, 3);
  assert.equal(world.peersFor({ memberId: 1 }).length, 5);
});

test('T13: a stopped peer is gone at once and gets no peers', () => {
  const world = new TestSwarm();
  world.announce({ memberId: 1 });
  world.announce({ memberId: 2 });
  assert.equal(world.stop({ memberId: 1 }).leechers, 1);
  assert.deepEqual(world.peersFor({ memberId: 1, event: EVENT.stopped }), []);
  assert.deepEqual(world.peersFor({ memberId: 3 }), ['10.0.0.2:6881']);
});

test('T13: a peer ages by the monotonic clock; the wall clock may jump as it likes', () => {
  const world = new TestSwarm({ peerAgeMsMax: HOUR_MS });
  world.announce({});
  world.clock.jump(100 * HOUR_MS);
  world.sweep();
  assert.equal(world.counts().leechers, 1);
  world.clock.jump(-200 * HOUR_MS);
  world.clock.advance(HOUR_MS + 1000);
  world.sweep();
  assert.equal(world.counts().leechers, 0);
});

test('T13: a removed torrent is unknown at once, and the sweep hands over its baselines', () => {
  const world = new TestSwarm();
  world.announce({ memberId: 1, uploaded: 7 });
  world.announce({ memberId: 2, uploaded: 8 });
  world.stop({ memberId: 2, uploaded: 8 });
  world.swarm.removeTorrent(1);
  assert.equal(world.announce({ memberId: 1 }).refused, 'torrent-unknown');
  assert.equal(world.swarm.counts(1, newSwarmCounts()), false);
  const dropped = world.sweep();
  assert.deepEqual(dropped.map((it) => it.uploaded).sort(), [7, 8]);
  assert.equal(world.swarm.memoryUse().records, 0);
  assert.equal(world.swarm.totals().torrents, 0);
});

test('a located torrent is found at its place, and by its id once it has moved', () => {
  const world = new TestSwarm();
  const request = announceOf({ infoHash: hashOf(1), torrentId: 0, memberId: 5 });
  assert.ok(world.swarm.locate(request));
  assert.deepEqual([request.torrentId, request.hashVersion], [1, 1]);
  const { place } = request;
  // Its record becomes another torrent's, and it gets another one itself.
  world.swarm.removeTorrent(1);
  assert.ok(world.swarm.addTorrent(9, { v1: hashOf(9), v2: hashOf(9, 2) }));
  assert.ok(world.swarm.addTorrent(1, { v1: hashOf(1) }));
  assert.equal(world.swarm.begin(request).refused, 'none');
  world.swarm.abandon();
  assert.ok(world.swarm.locate({ ...request, infoHash: hashOf(9, 2) }));
  const second = { ...request, infoHash: hashOf(9, 2) };
  assert.ok(world.swarm.locate(second));
  assert.deepEqual([second.torrentId, second.hashVersion, second.place], [9, 2, place]);
  world.swarm.removeTorrent(1);
  assert.equal(world.swarm.locate(request), false);
  assert.equal(world.swarm.begin(request).refused, 'torrent-unknown');
});

test('T13: a torrent nobody registered leaves memory with its last peer', () => {
  const world = new TestSwarm();
  const torrentId = 0x8000_0007;
  assert.ok(world.swarm.openTorrent(torrentId, hashOf(77)));
  assert.ok(world.swarm.openTorrent(torrentId, hashOf(77)));
  const anonymous = { torrentId, memberId: 0 };
  world.announce(anonymous);
  assert.equal(world.swarm.torrentByHash(hashOf(77)), torrentId);
  world.stop(anonymous);
  assert.equal(world.swarm.torrentByHash(hashOf(77)), 0);
  assert.equal(world.swarm.totals().torrents, 1);
});

test('T14: another member with the same peer id is another peer, and stops only itself', () => {
  const world = new TestSwarm();
  const peerId = peerIdOf(5);
  world.announce({ memberId: 1, peerId });
  assert.equal(world.announce({ memberId: 2, peerId }).leechers, 2);
  assert.equal(world.stop({ memberId: 2, peerId }).leechers, 1);
  assert.equal(world.stop({ memberId: 3, peerId }).leechers, 1);
  assert.deepEqual(world.peersFor({ memberId: 9 }), ['10.0.0.1:6881']);
});

test('T14: a member that announces from another’s address does not take the place over', () => {
  const world = new TestSwarm();
  world.announce({ memberId: 1 });
  const outcome = world.announce({ memberId: 2, address: addressOf(1, 4) });
  assert.equal(outcome.leechers, 2);
  assert.equal(world.swarm.peersOfMember(1, 10).length, 1);
});

test('T14: without members the address and port are the peer, whatever peer id it claims', () => {
  const world = new TestSwarm();
  const one = { memberId: 0, address: addressOf(1, 4) };
  world.announce({ ...one, peerId: peerIdOf(1) });
  assert.equal(world.announce({ ...one, peerId: peerIdOf(2) }).leechers, 1);
  const other = { memberId: 0, address: addressOf(2, 4), peerId: peerIdOf(1) };
  assert.equal(world.announce(other).leechers, 2);
  assert.equal(world.stop({ ...other, port: 1 }).leechers, 2);
  assert.equal(world.stop(other).leechers, 1);
});

test('T15: a fourth client of a member is refused, and a restarted one takes its own place', () => {
  const world = new TestSwarm();
  for (let client = 0; client < 3; client++) {
    world.announce({ peerId: peerIdOf(client), port: 7000 + client });
  }
  const fourth = world.announce({ peerId: peerIdOf(3), port: 7003 });
  assert.equal(fourth.refused, 'member-peers');
  const restarted = world.announce({ peerId: peerIdOf(4), port: 7001 });
  assert.deepEqual([restarted.refused, restarted.leechers], ['none', 3]);
});

test('T14: a client that comes back under a new peer id takes its old address over at once', () => {
  const world = new TestSwarm();
  world.announce({ peerId: peerIdOf(1), left: 0, uploaded: 500 });
  world.announce({ peerId: peerIdOf(2), port: 6999 });
  const back = world.announce({ peerId: peerIdOf(3), left: 0 });
  assert.deepEqual([back.seeders, back.leechers], [1, 1]);
  const listed = ['10.0.0.1:6881', '10.0.0.1:6999'];
  assert.deepEqual(world.peersFor({ memberId: 2 }), listed);
  // What the old one moved is not forgotten: its late goodbye is measured against its own baseline.
  const late = world.stop({ peerId: peerIdOf(1), left: 0, uploaded: 700 });
  assert.deepEqual([late.known, late.uploaded, late.seeders], [true, 500, 1]);
  // One that moves to a port where another of its member was takes that over as well.
  const moved = world.announce({ peerId: peerIdOf(2), port: 6881 });
  assert.deepEqual([moved.seeders, moved.leechers], [0, 1]);
  assert.deepEqual(world.peersFor({ memberId: 2 }), ['10.0.0.1:6881']);
  assert.equal(world.swarm.totals().silentBaselines, 2);
});

test('T14: who takes an IPv4 address over leaves the other its IPv6 address', () => {
  const world = new TestSwarm();
  world.announce({ peerId: peerIdOf(1) });
  world.announce({ peerId: peerIdOf(1), family: 6 });
  world.announce({ peerId: peerIdOf(2) });
  assert.equal(world.peersFor({ memberId: 2 }, 4).length, 1);
  assert.equal(world.peersFor({ memberId: 2 }, 6).length, 1);
  assert.equal(world.counts().leechers, 2);
  assert.equal(world.announce({ peerId: peerIdOf(2), family: 6 }).leechers, 1);
  assert.equal(world.peersFor({ memberId: 2 }, 6).length, 1);
});

test('T15: silent baselines do not count against the limit of clients', () => {
  const world = new TestSwarm();
  for (let client = 0; client < 20; client++) {
    assert.equal(world.announce({ peerId: peerIdOf(client), port: client }).refused, 'none');
    world.stop({ peerId: peerIdOf(client), port: client });
  }
  assert.equal(world.counts().leechers, 0);
  assert.equal(world.swarm.totals().silentBaselines, 20);
});

test('T15: a member that leaves under ever new peer ids fills no memory', () => {
  const world = new TestSwarm();
  const refused = new Set<string>();
  for (let client = 0; client < 2000; client++) {
    refused.add(world.announce({ peerId: peerIdOf(client), port: client }).refused);
    world.stop({ peerId: peerIdOf(client), port: client });
    if (client % 50 === 0) world.sweep();
  }
  assert.deepEqual([...refused], ['none']);
  assert.ok(world.swarm.totals().silentBaselines < 100);
  // Between two sweeps there is an end to it too, and nobody else feels it.
  for (let client = 2000; client < 2400; client++) {
    refused.add(world.announce({ peerId: peerIdOf(client), port: client }).refused);
    world.stop({ peerId: peerIdOf(client), port: client });
  }
  assert.deepEqual([...refused], ['none', 'member-peers']);
  assert.ok(world.swarm.totals().silentBaselines <= 256);
  assert.equal(world.announce({ memberId: 2 }).refused, 'none');
});

test('T15: at membersMax a further member is refused, those that were seen are not', () => {
  const world = new TestSwarm({ membersMax: 64 });
  const refusals = new Map<string, number>();
  for (let member = 1; member <= 1000; member++) {
    const { refused } = world.announce({ memberId: member });
    refusals.set(refused, (refusals.get(refused) ?? 0) + 1);
    world.stop({ memberId: member });
  }
  assert.ok((refusals.get('none') ?? 0) >= 64);
  assert.ok((refusals.get('swarm-full') ?? 0) > 0);
  assert.equal(world.announce({ memberId: 1 }).refused, 'none');
});

test('T15: a member is refused in one torrent more than torrentsPerMemberMax', () => {
  const world = new TestSwarm({ torrentsPerMemberMax: 2 });
  for (const id of [2, 3]) world.swarm.addTorrent(id, { v1: hashOf(id) });
  assert.equal(world.announce({ torrentId: 1 }).refused, 'none');
  assert.equal(world.announce({ torrentId: 2 }).refused, 'none');
  assert.equal(world.announce({ torrentId: 2, peerId: peerIdOf(9) }).refused, 'none');
  assert.equal(world.announce({ torrentId: 3 }).refused, 'member-torrents');
  world.stop({ torrentId: 1 });
  assert.equal(world.announce({ torrentId: 3 }).refused, 'none');
});

test('T15: at peersMax new peers are refused, those that are in go on, and a leave makes room', () => {
  const world = new TestSwarm({ peersMax: 64 });
  for (let member = 1; member <= 64; member++) {
    assert.equal(world.announce({ memberId: member }).refused, 'none');
  }
  assert.equal(world.announce({ memberId: 65 }).refused, 'swarm-full');
  assert.equal(world.announce({ memberId: 64, uploaded: 1 }).refused, 'none');
  assert.equal(world.counts().leechers, 64);
  world.stop({ memberId: 1 });
  world.clock.advance(61_000);
  // Nearly full, so the baseline that fell silent is handed over long before its time.
  assert.equal(world.sweep().length, 1);
  assert.equal(world.announce({ memberId: 65 }).refused, 'none');
});

test('T15: at torrentsMax a torrent is refused and nothing else changes', () => {
  const world = new TestSwarm({ torrentsMax: 64 });
  for (let id = 2; id <= 64; id++) assert.ok(world.swarm.addTorrent(id, { v1: hashOf(id) }));
  assert.equal(world.swarm.addTorrent(65, { v1: hashOf(65) }), false);
  assert.equal(world.swarm.openTorrent(66, hashOf(66)), false);
  world.swarm.removeTorrent(64);
  assert.ok(world.swarm.addTorrent(65, { v1: hashOf(65) }));
});

test('T16: the peers of ended members are gone, their baselines stay, nobody else is touched', () => {
  const world = new TestSwarm();
  for (let memberId = 1; memberId <= 20; memberId++) world.announce({ memberId, uploaded: 5 });
  world.announce({ memberId: 3, family: 6, uploaded: 5 });
  const ended = new Set([3, 7]);
  let steps = 0;
  for (let from = 0; from !== -1; steps++) from = world.swarm.removeMembers(ended, from, 6);
  assert.equal(steps, 4);
  assert.equal(world.counts().leechers, 18);
  assert.equal(world.peersFor({ memberId: 40 }).length, 18);
  assert.deepEqual(world.swarm.peersOfMember(3, 9), []);
  const outcome = world.announce({ memberId: 3, uploaded: 9 });
  assert.deepEqual([outcome.known, outcome.present, outcome.uploaded], [true, false, 5]);
});

test('begin() changes nothing: an abandoned announce leaves the memory as it was', () => {
  const world = new TestSwarm();
  const before = world.swarm.memoryUse();
  const request = announceOf({ family: 6 });
  assert.equal(world.swarm.begin(request).refused, 'none');
  world.swarm.abandon();
  assert.deepEqual(world.swarm.memoryUse(), before);
  assert.equal(world.counts().leechers, 0);
  assert.equal(world.announce({ torrentId: 1 }).known, false);
});

function judge(outcome: AnnounceOutcome): { repeated: boolean; early: boolean } {
  return { repeated: outcome.repeated, early: outcome.early };
}
