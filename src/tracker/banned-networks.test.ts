// Whoever is in a network that is banned leaves the swarms, as far as they are reached there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceTarget, HttpClient } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';
import { type ClientAnnounce, UdpClient } from '#sim/udp-client.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';

function announceOf(peer: string, port: number): ClientAnnounce {
  const peerId = `-SK0001-${peer.padEnd(12, '.')}`;
  return { infoHash: HASH, peerId, port, left: 0, event: 'started' };
}

test('S15: whoever announces next is given no address in a network that was banned', async () => {
  const world = await TestTracker.start();
  const open = [
    await UdpClient.open(world.port),
    await UdpClient.open(world.port, '127.0.0.2', '127.0.0.1'),
    await UdpClient.open(world.port, '127.0.0.9', '127.0.0.1'),
  ] as const;
  const http = await HttpClient.open(world.port);
  try {
    await world.tell(memberMessage(1, 'alice'), memberMessage(2, 'bob'), memberMessage(3, 'carl'));
    await world.tell(torrentMessage(1, HASH));
    const [bob, alice, carl] = open;
    for (const client of open) await client.connect();
    assert.equal(
      (await alice.announce(announceOf('alice', 7201), '/alice/announce'))?.action,
      'announce',
    );
    assert.equal(
      (await carl.announce(announceOf('carl', 7203), '/carl/announce'))?.action,
      'announce',
    );
    const asking = { ...announceOf('bob', 7202), left: 9 };
    const given = async (): Promise<readonly (readonly string[])[]> => {
      const byUdp = await bob.announce(asking, '/bob/announce');
      const byHttp = await http.get(announceTarget('/bob/announce', asking));
      return [(byUdp?.peers ?? []).toSorted(), byHttp.peers.toSorted()];
    };
    const [near, far] = ['127.0.0.2:7201', '127.0.0.9:7203'];
    assert.deepEqual(await given(), [
      [near, far],
      [near, far],
    ]);
    const ban = { kind: 'address-ban', banId: 1, network: '127.0.0.2/31', reason: 'spam' } as const;
    await world.tell({ ...ban, state: 'active' });
    await until(() => world.swarm.totals().peers === 2);
    assert.deepEqual(await given(), [[far], [far]]);
    assert.match(
      (await alice.announce(announceOf('alice', 7201), '/alice/announce'))?.error ?? '',
      /network is banned/,
    );
    // Its end lets them in again.
    await world.tell({ ...ban, state: 'removed' });
    await alice.announce(announceOf('alice', 7201), '/alice/announce');
    assert.deepEqual((await given())[0], [near, far]);
  } finally {
    http.close();
    for (const client of open) await client.close();
    await world.close();
  }
});

test('S15: who is banned at one address of two is given at the other one', async () => {
  const world = await TestTracker.start();
  const four = await UdpClient.open(world.port);
  const six = await UdpClient.open(world.port, '::1');
  const http = await HttpClient.open(world.port);
  try {
    await world.tell(memberMessage(1, 'alice'), memberMessage(2, 'bob'), torrentMessage(1, HASH));
    for (const client of [four, six]) {
      await client.connect();
      const answer = await client.announce(announceOf('alice', 7301), '/alice/announce');
      assert.equal(answer?.action, 'announce');
    }
    const asking = { ...announceOf('bob', 7302), left: 9 };
    const given = async (): Promise<readonly number[]> => {
      const { peers, peers6 } = await http.get(announceTarget('/bob/announce', asking));
      return [peers.length, peers6.length];
    };
    assert.deepEqual(await given(), [1, 1]);
    const ban = { kind: 'address-ban', banId: 1, network: '::1/128', reason: '' } as const;
    await world.tell({ ...ban, state: 'active' });
    await until(() => world.swarm.peersOfMember(1, 9)[0]?.ipv6 === undefined);
    assert.deepEqual(await given(), [1, 0]);
  } finally {
    http.close();
    await four.close();
    await six.close();
    await world.close();
  }
});
