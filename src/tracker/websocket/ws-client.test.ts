// The client half of the npm package `bittorrent-tracker`, which is what WebTorrent announces with,
// against the WebSocket door. WebRTC itself is left out: its offers and answers are made up here.

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { registerHooks } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const HASH_2 = '99112233445566778899aabbccddeeff01234567';
const SDP = `v=0\r\n${'a=candidate:1 1 udp 2113937151 192.0.2.1 54321 typ host\r\n'.repeat(30)}`;

/** Of the package's client, what is used here. */
interface NpmClient extends EventEmitter {
  start(): void;
  update(counters?: { uploaded?: number; downloaded?: number; left?: number }): void;
  complete(counters?: { uploaded?: number; downloaded?: number; left?: number }): void;
  stop(): void;
  scrape(options?: { infoHash: readonly string[] }): void;
  destroy(done: () => void): void;
}

type NpmClientClass = new (options: Readonly<Record<string, unknown>>) => NpmClient;

/** Stands for a WebRTC connection under way. */
class MadeUpPeer extends EventEmitter {
  /** What it was given of the other side. */
  readonly heard: unknown[] = [];

  constructor(isInitiator: boolean) {
    super();
    if (isInitiator) queueMicrotask(() => this.emit('signal', { type: 'offer', sdp: SDP }));
  }

  signal(description: { readonly type: string }): void {
    this.heard.push(description);
    if (description.type !== 'offer') return;
    queueMicrotask(() => this.emit('signal', { type: 'answer', sdp: SDP }));
  }

  destroy(): void {
    this.removeAllListeners();
  }
}

async function npmClient(): Promise<NpmClientClass> {
  // The package loads WebRTC's binary, which nobody installed.
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'webrtc-polyfill'
        ? { url: NO_WEBRTC, format: 'module', shortCircuit: true }
        : next(specifier, context),
  });
  const { default: Client } = (await import('bittorrent-tracker/client' as string)) as {
    readonly default: NpmClientClass;
  };
  const { default: WebSocketTracker } = (await import(
    'bittorrent-tracker/websocket-tracker' as string
  )) as { readonly default: { readonly prototype: { _createPeer: unknown } } };
  WebSocketTracker.prototype._createPeer = (options?: { readonly initiator?: boolean }) =>
    new MadeUpPeer(options?.initiator === true);
  return Client;
}

const NO_WEBRTC =
  'data:text/javascript,export class RTCPeerConnection {}; export class RTCSessionDescription {}; export class RTCIceCandidate {};';

describe('the client of bittorrent-tracker over WebSocket', () => {
  let world: TestTracker;
  let Client: NpmClientClass;
  const clients: NpmClient[] = [];

  before(async () => {
    Client = await npmClient();
    world = await TestTracker.start();
    await world.tell(
      memberMessage(1, 'alice'),
      memberMessage(2, 'bob'),
      torrentMessage(1, HASH),
      torrentMessage(2, HASH_2),
    );
  });
  after(async () => {
    await Promise.all(clients.map((client) => new Promise<void>((done) => client.destroy(done))));
    await world.close();
  });

  function open(
    path: string,
    peer: string,
    more: Readonly<Record<string, unknown>> = {},
  ): { readonly client: NpmClient; readonly warnings: string[] } {
    const host = (more['host'] as string | undefined) ?? '127.0.0.1';
    const client = new Client({
      infoHash: HASH,
      peerId: Buffer.from(peer.padEnd(20, '.')).toString('hex'),
      announce: [`ws://${host}:${world.port}${path}`],
      port: 6881,
      wrtc: {},
      ...more,
    });
    clients.push(client);
    const warnings: string[] = [];
    client.on('warning', (error: Error) => warnings.push(error.message));
    return { client, warnings };
  }

  test('announces, gets offers, answers, scrapes, completes and stops', async () => {
    const alice = open('/alice/announce', '-WW0104-alice');
    const started = once(alice.client, 'update');
    alice.client.start();
    const [first] = (await started) as [{ complete: number; incomplete: number; interval: number }];
    assert.deepEqual([first.complete, first.incomplete], [0, 1]);
    assert.ok(first.interval >= 1500);

    const bob = open('/announce/bob', '-WW0104-bob');
    const [met, answered] = [once(alice.client, 'peer'), once(bob.client, 'peer')];
    bob.client.start();
    const [[offering], [answering]] = (await Promise.all([met, answered])) as [
      [MadeUpPeer & { id: string }],
      [MadeUpPeer & { id: string }],
    ];
    assert.deepEqual(offering.heard, [{ type: 'offer', sdp: SDP }]);
    assert.deepEqual(answering.heard, [{ type: 'answer', sdp: SDP }]);
    assert.equal(Buffer.from(offering.id, 'hex').toString(), '-WW0104-bob'.padEnd(20, '.'));
    assert.equal(Buffer.from(answering.id, 'hex').toString(), '-WW0104-alice'.padEnd(20, '.'));

    const completed = once(alice.client, 'update');
    alice.client.complete({ uploaded: 10, downloaded: 500, left: 0 });
    assert.equal(((await completed) as [{ complete: number }])[0].complete, 1);
    const scraped = once(bob.client, 'scrape');
    bob.client.scrape();
    const [scrape] = (await scraped) as [Readonly<Record<string, unknown>>];
    assert.deepEqual([scrape['infoHash'], scrape['complete'], scrape['incomplete']], [HASH, 1, 1]);
    const both: string[] = [];
    bob.client.on('scrape', (one: { infoHash: string }) => both.push(one.infoHash));
    bob.client.scrape({ infoHash: [HASH, HASH_2] });
    await until(() => both.length === 2);

    alice.client.stop();
    await until(() => world.tracker.stats().swarm.peers === 1);
    bob.client.stop();
    await until(() => world.tracker.stats().swarm.peers === 0);
    assert.deepEqual([alice.warnings, bob.warnings], [[], []]);
    const { uploadedDelta, downloadedDelta } = (await world.transfers()).find(
      ({ event }) => event === 1,
    )!;
    assert.deepEqual([uploadedDelta, downloadedDelta], [10, 500]);
  });

  test('a refusal and an early announce reach the client as warnings', async () => {
    const wrong = open('/nobody/announce', '-WW0104-wrong');
    wrong.client.start();
    await until(() => wrong.warnings.length > 0);
    assert.match(wrong.warnings[0] ?? '', /unknown passkey/);
    const bob = open('/bob/announce', '-WW0104-early');
    const started = once(bob.client, 'update');
    bob.client.start();
    await started;
    bob.client.update({ uploaded: 1, downloaded: 0, left: 5 });
    await until(() => bob.warnings.length > 0);
    assert.match(bob.warnings[0] ?? '', /announced too early/);
    bob.client.stop();
  });

  test('a client on IPv6 and one on IPv4 meet', async () => {
    const six = open('/alice/announce', '-WW0104-six', { host: '[::1]', infoHash: HASH_2 });
    const started = once(six.client, 'update');
    six.client.start();
    await started;
    const four = open('/bob/announce', '-WW0104-four', { infoHash: HASH_2 });
    const met = once(six.client, 'peer');
    four.client.start();
    await met;
  });
});
