import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { encodeBencode } from '#wire/bencode-encoder.ts';
import { DemoClient } from './demo-client.ts';
import { GeneratedContent, makeTorrentFile } from './generated-content.ts';

interface Heard {
  readonly port: number;
  readonly event: string | null;
  readonly uploaded: number;
  readonly downloaded: number;
  readonly left: number;
}

/** A tracker that names every port it has heard of, and remembers what it was told. */
async function smallTracker() {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams;
    const number = (name: string): number => Number(query.get(name));
    const port = number('port');
    heard.push({
      port,
      event: query.get('event'),
      uploaded: number('uploaded'),
      downloaded: number('downloaded'),
      left: number('left'),
    });
    const others = [...new Set(heard.map((one) => one.port))].filter((one) => one !== port);
    const peers = Buffer.concat(
      others.map((one) => Buffer.from([127, 0, 0, 1, one >> 8, one & 255])),
    );
    response.end(encodeBencode({ interval: 1, peers }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/key/announce`;
  return { heard, url, close: () => server.close() };
}

test('a client gets every piece from another, and both announce what was moved', async () => {
  const tracker = await smallTracker();
  const plan = { name: 'p', version: 'hybrid', files: { 'a.bin': 300_001, 'b.bin': 9 } } as const;
  const content = new GeneratedContent(await makeTorrentFile(plan, 0));
  const clock = new SystemClock();
  const open = (seed: number): Promise<DemoClient> =>
    DemoClient.listen({
      clock,
      random: new SeededRandom(seed),
      announceUrl: tracker.url,
      peerIdPrefix: '-SK0100-',
      uploadBytesPerSecond: 10_000_000,
    });
  const [giver, taker] = [await open(1), await open(2)];
  giver.start(content, true);
  while (tracker.heard.length === 0) await wait(5);
  const giverPort = tracker.heard[0]?.port;
  taker.start(content, false);
  for (let turn = 0; turn < 12_000 && ![...taker.torrents().values()].every(Boolean); turn++)
    await wait(5);
  await Promise.all([giver.close(), taker.close()]);
  tracker.close();
  const stopped = tracker.heard.filter((one) => one.event === 'stopped');
  const given = stopped.find((one) => one.port === giverPort);
  const taken = stopped.find((one) => one.port !== giverPort);
  assert.equal(taken?.left, 0);
  assert.equal(taken?.downloaded, content.streamBytes);
  assert.equal(given?.uploaded, content.streamBytes);
  assert.deepEqual([given?.downloaded, taken?.uploaded], [0, 0]);
  assert.ok(tracker.heard.some((one) => one.event === 'completed' && one.port !== giverPort));
});
