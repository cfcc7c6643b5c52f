import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceTarget, HttpClient } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';

const ONE = '00112233445566778899aabbccddeeff01234567';
const TWO = '7766554433221100ffeeddccbbaa998876543210';

test('T17: the peers of a revoked download key leave at once, the others of its member stay', async () => {
  const world = await TestTracker.start();
  try {
    const key = { kind: 'download-key', key: 'leaked', memberId: 1, torrentId: 1 } as const;
    await world.tell(memberMessage(1, 'alice'), memberMessage(2, 'bob'));
    await world.tell(torrentMessage(1, ONE), torrentMessage(2, TWO), { ...key, state: 'active' });
    const client = await HttpClient.open(world.port);
    const announce = async (path: string, infoHash: string): Promise<string> => {
      const peer = { infoHash, peerId: `-TR4050-${path.padEnd(12, '.')}`, left: 9 };
      return (await client.get(announceTarget(`/${path}/announce`, peer))).failure;
    };
    assert.equal(await announce('leaked', ONE), '');
    assert.equal(await announce('alice', TWO), '');
    assert.equal(await announce('bob', ONE), '');
    assert.equal(world.swarm.totals().peers, 3);
    await world.tell({ ...key, state: 'revoked' });
    await until(() => world.swarm.totals().peers === 2);
    assert.deepEqual(
      [1, 2].map((id) => world.swarm.peersOfMember(id, 9).map((peer) => peer.torrentId)),
      [[2], [1]],
    );
    assert.match(await announce('leaked', ONE), /unknown passkey/);
    assert.equal(await announce('alice', ONE), '');
    // Told again of what it knows already, it ends nobody.
    await world.tell({ ...key, state: 'revoked' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(world.swarm.totals().peers, 3);
    client.close();
  } finally {
    await world.close();
  }
});
