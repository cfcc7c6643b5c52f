import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test from 'node:test';
import { decodeFileMap, segmentRef } from '#archive/content/file-map.ts';
import { PiecePlan } from '#archive/ingest/piece-plan.ts';
import { SwarmDownload } from '#archive/ingest/swarm-download.ts';
import { fromHex } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { connectTcp } from '#net/tcp-connect.ts';
import { dialPeer, type TestClient, type TestPeer, until, withPeer } from './test-peer.ts';

/** All pieces, one after the other, as the archive's own download takes them. */
async function takeAll(seeding: TestPeer, infoHash = seeding.infoHash): Promise<Uint8Array[]> {
  const plan = new PiecePlan(seeding.metainfo);
  const world = {
    clock: new SystemClock(),
    peerId: Buffer.from('-XX0001-taker0000000'),
    peers: () => [{ address: '127.0.0.1', port: seeding.peer.port }],
    connect: connectTcp,
  };
  const hash = fromHex(infoHash);
  assert.ok(hash !== undefined);
  const download = new SwarmDownload(world, plan, hash);
  const files = plan.fileBytes.map((bytes) => new Uint8Array(bytes));
  const filled = files.map(() => 0);
  const signal = AbortSignal.timeout(30_000);
  for await (const { piece, bytes } of download.pieces([...plan.piecesOf(() => true)], signal)) {
    for (const { position, start, end } of plan.spansOf(piece)) {
      if (position === undefined) continue;
      files[position]?.set(bytes.subarray(start, end), filled[position]);
      filled[position] = (filled[position] ?? 0) + end - start;
    }
  }
  return files;
}

test('a kept torrent is given whole, of v1, of v2, and by both hashes of a hybrid one', async () => {
  for (const version of ['v1', 'v2', 'hybrid'] as const) {
    await withPeer({ version }, async (seeding) => {
      assert.deepEqual(await takeAll(seeding), seeding.files, version);
      const { infoHashV2Truncated: v2 } = seeding.metainfo;
      if (version !== 'hybrid' || v2 === undefined) return;
      assert.deepEqual(await takeAll(seeding, Buffer.from(v2).toString('hex')), seeding.files);
    });
  }
});

/** Unchoked, so that it may ask. */
async function ready(client: TestClient): Promise<TestClient> {
  await until('its handshake is answered', client.isShaken);
  client.wire.interested();
  await until('it is unchoked', () => !client.wire.peerChoking);
  return client;
}

test('who speaks the fast extension is told in a word that all is here, others by a bitfield, also encrypted', () =>
  withPeer({}, async (seeding) => {
    const [file = new Uint8Array()] = seeding.files;
    for (const options of [{ fast: true }, { fast: false }, { isEncrypted: true }] as const) {
      const client = dialPeer(seeding, options);
      let told = '';
      client.wire.on('have-all', () => {
        told = 'all';
      });
      client.wire.on('bitfield', () => {
        told = 'bits';
      });
      await ready(client);
      assert.equal(told, options.fast === false ? 'bits' : 'all');
      assert.equal(client.wire.peerPieces.get(30), true);
      if (options.fast === false) assert.equal(client.wire.peerPieces.get(31), false);
      assert.deepEqual(await client.block(2, 100, 16_384), file.slice(65_636, 82_020));
      client.socket.destroy();
    }
  }));

test('the block in which a file of v2 ends is given as a whole, filled up with zeros', () =>
  withPeer({ version: 'v2' }, async (seeding) => {
    const client = await ready(dialPeer(seeding));
    const [, , small = new Uint8Array()] = seeding.files;
    // The first file has ten pieces.
    const block = await client.block(10, 0, 16_384);
    assert.deepEqual(block?.subarray(0, 17), small);
    assert.deepEqual(block?.subarray(17), new Uint8Array(16_367));
    assert.deepEqual(await client.block(10, 16_384, 16_384), new Uint8Array(16_384));
    void client.block(10, 32_768, 1);
    await until('what is beyond the piece ends it', () => client.socket.closed);
  }));

test('who asks for what is not there is let go, and who asks for too much is refused the rest', () =>
  withPeer(
    { config: { peerRequestsMax: 16, peerUploadBytesPerSecond: 16_384 } },
    async (seeding) => {
      for (const [piece, offset, length] of [
        [31, 0, 16_384],
        [30, 16_384, 16_384],
        [0, 0, 200_000],
        [0, 32_768, 1],
        [-1, 0, 1],
      ] as const) {
        const client = await ready(dialPeer(seeding));
        void client.block(piece, offset, length);
        await until('it is let go', () => client.socket.closed);
      }
      const client = await ready(dialPeer(seeding));
      let refused = 0;
      for (let at = 0; at < 60; at++) {
        void client.block(at % 30, at < 30 ? 0 : 16_384, 16_384).then((bytes) => {
          if (bytes === undefined) refused += 1;
        });
      }
      await until('the rest is refused', () => refused >= 40);
      client.socket.destroy();
    },
  ));

test('strangers, other torrents, itself, noise and endless messages are let go', async () => {
  await withPeer({ isAnnounced: false }, async (seeding) => {
    const client = dialPeer(seeding);
    await until('a stranger is let go', () => client.socket.closed);
    assert.equal(seeding.peer.peers, 0);
  });
  await withPeer({}, async (seeding) => {
    const others = [
      dialPeer(seeding, { infoHash: 'ab'.repeat(20) }),
      dialPeer(seeding, { infoHash: 'ab'.repeat(20), isEncrypted: true }),
      dialPeer(seeding, { peerId: '-SK0100-abcdefghijkl' }),
    ];
    for (const [at, { socket }] of others.entries()) {
      await until(`stranger ${at} is let go`, () => socket.closed);
    }
    const random = new SeededRandom(5);
    for (let round = 0; round < 60; round++) {
      const noise = connect({ host: '127.0.0.1', port: seeding.peer.port });
      noise.on('error', () => undefined);
      noise.resume();
      // Keys of zeros, which no exchange of keys can work with, are among it.
      noise.end(round % 3 === 0 ? new Uint8Array(700) : random.bytes(700));
      await until('noise is let go', () => noise.closed);
    }
    const long = await ready(dialPeer(seeding));
    long.socket.write(Uint8Array.of(0x7f, 0xff, 0xff, 0xff, 20));
    await until('it is let go', () => long.socket.closed);
    assert.deepEqual(await takeAll(seeding), seeding.files);
  });
});

test('slots go round: who waits is given one, and gets what it asked for', () =>
  withPeer({ config: { peerSlotsMax: 1 } }, async (seeding) => {
    const first = await ready(dialPeer(seeding));
    const second = dialPeer(seeding, { peerId: '-XX0001-000000000002' });
    second.wire.interested();
    await until('both are known', () => seeding.peer.peers === 2);
    assert.equal(second.wire.peerChoking, true);
    assert.equal((await first.block(0, 0, 10))?.length, 10);
    first.socket.destroy();
    await ready(second);
    assert.equal((await second.block(0, 0, 10))?.length, 10);
    second.socket.destroy();
  }));

test('who comes again replaces its dead connection, another one with its name does not', () =>
  withPeer({}, async (seeding) => {
    const first = await ready(dialPeer(seeding));
    const again = await ready(dialPeer(seeding));
    await until('the first is over', () => first.socket.closed);
    assert.equal((await again.block(0, 0, 10))?.length, 10);
    assert.equal(seeding.peer.peers, 1);
    again.socket.destroy();
  }));

test('what is let go of is not given any more, and its swarm is left', () =>
  withPeer({}, async (seeding) => {
    const client = await ready(dialPeer(seeding));
    assert.deepEqual([...seeding.joined.keys()], [3]);
    await seeding.release();
    await until('it is let go', () => client.socket.closed);
    assert.equal(seeding.joined.size, 0);
    const late = dialPeer(seeding);
    await until('nobody is served', () => late.socket.closed);
  }));

test('what is known to be damaged is no whole copy to its swarm, until it is healed', () =>
  withPeer({}, async (seeding) => {
    const isDamaged = (): boolean | undefined => seeding.joined.get(3)?.isDamaged;
    assert.equal(isDamaged(), false);
    const whole = seeding.joined.get(3);
    seeding.joined.clear();
    await seeding.found([{ segment: 1, kind: 'corrupt' }]);
    await until('the swarm is told at once', () => seeding.joined.size > 0);
    assert.equal(isDamaged(), true);
    for (const fast of [true, false]) {
      const client = dialPeer(seeding, { fast });
      await until('it is told what is here', () => client.wire.peerPieces.get(0));
      const pieces = Array.from({ length: 31 }, (_, piece) => piece);
      const lacking = pieces.filter((piece) => !client.wire.peerPieces.get(piece));
      // Bytes 262,144 to 300,000 of the first file, and what shares a piece with them.
      assert.deepEqual(lacking, [8, 9]);
      client.socket.destroy();
    }
    seeding.joined.clear();
    await seeding.found([]);
    await until('the swarm is told again', () => seeding.joined.size > 0);
    assert.equal(isDamaged(), false);
    assert.equal(seeding.joined.get(3), whole, 'it was offered all the time');
    const client = dialPeer(seeding);
    await until('all is here again', () => client.wire.peerPieces.get(8));
    client.socket.destroy();
  }));

test('a piece that cannot be read is refused, and the others are given', () =>
  withPeer({ config: { readCacheBytes: 0 } }, async (seeding) => {
    const { store } = seeding;
    const maps = await Promise.all(
      (await store.list()).map(async ({ ref }) => decodeFileMap(await store.get(ref))),
    );
    const large = maps.find((map) => map?.bytes === 700_000);
    assert.ok(large !== undefined);
    await store.remove([segmentRef(large, 2)]);
    const client = await ready(dialPeer(seeding));
    assert.equal(await client.block(29, 0, 16_384), undefined);
    assert.equal((await client.block(12, 0, 16_384))?.length, 16_384);
    const old = await ready(dialPeer(seeding, { fast: false, peerId: '-XX0001-000000000002' }));
    void old.block(29, 0, 16_384);
    await until('who knows no refusal is let go', () => old.socket.closed);
    client.socket.destroy();
  }));

test('one address has a part of all connections, and whoever wants nothing makes room', () =>
  withPeer({ config: { peerConnectionsMax: 6 } }, async (seeding) => {
    const clients = [1, 2, 3, 4].map((n) =>
      dialPeer(seeding, { peerId: `-XX0001-00000000000${n}` }),
    );
    await until('all are known', () => seeding.peer.peers === 4);
    const fifth = dialPeer(seeding, { peerId: '-XX0001-000000000005' });
    await until('it is let go', () => fifth.socket.closed);
    assert.equal(clients.filter(({ socket }) => socket.closed).length, 0);
    for (const { socket } of clients) socket.destroy();
  }));

test('who has a torrent that is wanted is handed to its download', () =>
  withPeer({ isWanted: true }, async (seeding) => {
    assert.equal(seeding.joined.get(3)?.isWanted, true);
    const client = dialPeer(seeding);
    await until('it is handed over', () => seeding.adopted.length === 1);
    seeding.adopted[0]?.interested();
    await until('it hears of it', () => client.wire.peerInterested);
    client.socket.destroy();
  }));
