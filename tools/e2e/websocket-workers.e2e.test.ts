// Web peers on two tracker threads: the kernel gives each connection to either, and offers and answers
// find their way between them.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { binary, WsClient, wsAnnounce, wsOffers } from '#sim/ws-client.ts';
import { makeTorrent, writeContent } from './content.ts';
import { TestServer } from './server.ts';

const PEERS = 10;
const ANSWER = { type: 'answer', sdp: 'v=0' };

let server: TestServer;

before(async () => {
  server = await TestServer.prepare({
    settings: { 'tracker.workers': 2, 'tracker.mode': 'listed' },
  });
  await server.start();
});
after(async () => await server.remove());

test('T21: offers and answers cross tracker threads', async () => {
  const content = {
    folder: server.dataFolder,
    name: 'a.bin',
    files: [['a.bin', 1000]] as const,
    seed: 3,
  };
  writeContent(content);
  const path = join(server.dataFolder, 'a.torrent');
  writeFileSync(path, (await makeTorrent(content)).bytes);
  const [added] = await server.json<{ infoHash: string }>(['torrent', 'add', path]);
  const infoHash = added?.infoHash ?? '';
  const clients: WsClient[] = [];
  for (let peer = 0; peer <= PEERS; peer++) {
    clients.push(await WsClient.open(server.trackerPort, '/announce'));
  }
  const [asker, ...peers] = clients;
  assert.ok(asker !== undefined);
  for (const [at, peer] of peers.entries()) {
    const first = await peer.ask(wsAnnounce(infoHash, peerIdOf(at), { event: 'started' }));
    assert.equal(first?.['incomplete'], at + 1);
  }
  const offers = wsOffers(PEERS, 2000);
  asker.send(wsAnnounce(infoHash, peerIdOf(PEERS), { event: 'started', offers }));
  assert.equal((await asker.next())?.['incomplete'], PEERS + 1);
  const offered = new Set<unknown>();
  for (const [at, peer] of peers.entries()) {
    const offer = await peer.next();
    offered.add(offer?.['offer_id']);
    peer.send({
      action: 'announce',
      info_hash: binary(infoHash),
      peer_id: peerIdOf(at),
      to_peer_id: offer?.['peer_id'],
      offer_id: offer?.['offer_id'],
      answer: ANSWER,
    });
  }
  assert.equal(offered.size, PEERS, 'every peer was given an offer of its own');
  const answered = new Set<unknown>();
  for (let count = 0; count < PEERS; count++) answered.add((await asker.next())?.['peer_id']);
  assert.deepEqual([...answered].sort(), peers.map((_, at) => peerIdOf(at)).sort());
  for (const client of clients) client.close();
});

function peerIdOf(at: number): string {
  return `-WW0104-${String(at).padStart(12, '0')}`;
}
