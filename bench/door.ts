// What the UDP door costs without a socket: packets of the load generator's community are written into
// input slots and handled, from the codec to the answer's bytes. Open and private mode; CPU time of
// this thread, without the time that writing the packets takes. For profiles: the kernel is not in it.
// By itself: node -C swarmkeep-src bench/door.ts [torrents]

import { toHex } from '#base/bytes.ts';
import { inlineMore } from '#base/compiler.ts';
import { SlotSocket } from '#sim/slot-socket.ts';
import { memberMessage, TestTracker, torrentMessage } from '#sim/test-tracker.ts';
import { HASH_BYTES, madeHashes, madePasskey } from './load/community.ts';
import type { LoadOrder } from './load/load.ts';
import { LoadRun } from './load/load-run.ts';
import { UdpRequests } from './load/udp-requests.ts';

const WARM_UP = 400_000;
const ANNOUNCES = 1_000_000;
const MEMBERS = 2000;
const MESSAGES_AT_ONCE = 2000;

/** Prints a line for each mode. */
export async function run(torrents = Number(process.argv[2] ?? 1_000_000)): Promise<void> {
  inlineMore();
  const registered = Math.min(torrents, 20_000);
  const only = process.argv[3];
  if (only !== 'private') await measure('open', torrents, 2 * torrents);
  if (only !== 'open') await measure('private', registered, 2 * registered);
}

async function measure(mode: string, torrents: number, peers: number): Promise<void> {
  const hashes = madeHashes(torrents);
  const sockets: SlotSocket[] = [];
  const test = await TestTracker.start({
    openUdp: SlotSocket.opener((socket) => sockets.push(socket)),
    tracker: { mode, addresses: ['127.0.0.1'] },
    swarm: {
      peersMax: peers + 64,
      torrentsMax: torrents + 64,
      announceIntervalMsMin: 0,
      peersPerMemberTorrentMax: 64,
    },
    accounting: { recordsPendingMax: 1_000_000 },
  });
  try {
    const passkeys = mode === 'open' ? [] : await tellMembers(test, hashes);
    const order = { ...ORDER, hashes, peers, passkeys };
    const driver = new Driver(new LoadRun(order, () => {}), sockets[0]!);
    driver.connect();
    driver.run.isFilling = true;
    await driver.walk(peers, true);
    driver.run.isFilling = false;
    await driver.walk(WARM_UP, true);
    const writing = await driver.timed(ANNOUNCES, false);
    const { answers, answerBytes } = driver;
    const both = await driver.timed(ANNOUNCES, true);
    const each = ((both - writing) * 1000) / ANNOUNCES;
    const given = driver.answers - answers;
    const perAnswer = (driver.answerBytes - answerBytes) / Math.max(1, given);
    process.stdout.write(
      `door: ${mode}, ${torrents.toLocaleString('en')} torrents: ${Math.round(each)} ns per announce, ` +
        `${((perAnswer - 20) / 6).toFixed(2)} peers per answer, ${given.toLocaleString('en')} answers\n`,
    );
  } finally {
    await test.close();
  }
}

const ORDER: Omit<LoadOrder, 'hashes' | 'peers' | 'passkeys'> = {
  ...{ door: 'udp', host: '127.0.0.1', port: 0, sources: 4, underWay: 0, scrapePercent: 0 },
  ...{ seederChance: 0.75, wanted: 30, seconds: 0, isClosedEach: false, ratePerSecond: 0 },
};

class Driver {
  readonly run: LoadRun;
  readonly #socket: SlotSocket;
  readonly #requests: UdpRequests;

  constructor(run: LoadRun, socket: SlotSocket) {
    this.run = run;
    this.#socket = socket;
    this.#requests = new UdpRequests(run, socket.input);
    for (let slot = 0; slot < socket.input.slotsMax; slot++) {
      socket.input.addresses.set([127, 0, 0, 1], slot * 16);
      socket.input.ports[slot] = 40_000;
    }
  }

  get answers(): number {
    return this.#socket.sent;
  }

  get answerBytes(): number {
    return this.#socket.sentBytes;
  }

  connect(): void {
    const { input, output } = this.#socket;
    Buffer.from(input.bytes.buffer).writeBigUInt64BE(0x417_2710_1980n, 0);
    input.bytes.fill(0, 8, 16);
    input.lengths[0] = 16;
    input.count = 1;
    this.#socket.receive();
    this.#requests.connected(output.bytes.slice(8, 16));
  }

  /** CPU time of this thread, µs. */
  async timed(announces: number, isHandled: boolean): Promise<number> {
    const before = process.threadCpuUsage();
    await this.walk(announces, isHandled);
    const used = process.threadCpuUsage(before);
    return used.user + used.system;
  }

  async walk(announces: number, isHandled: boolean): Promise<void> {
    const { input } = this.#socket;
    let batches = 0;
    for (let done = 0; done < announces; ) {
      while (input.count < input.slotsMax && done < announces) {
        this.run.next(done & 3);
        this.#requests.write(done);
        done++;
      }
      if (isHandled) this.#socket.receive();
      input.count = 0;
      // The log and the timers have their turn.
      if (++batches % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

async function tellMembers(test: TestTracker, hashes: Uint8Array): Promise<string[]> {
  const passkeys = Array.from({ length: MEMBERS }, (_, member) => madePasskey(member));
  const torrents = hashes.length / HASH_BYTES;
  const messages = [
    ...passkeys.map((passkey, member) => memberMessage(member + 1, passkey)),
    ...Array.from({ length: torrents }, (_, torrent) => {
      const hash = hashes.slice(torrent * HASH_BYTES, (torrent + 1) * HASH_BYTES);
      return torrentMessage(torrent + 1, toHex(hash));
    }),
  ];
  for (let at = 0; at < messages.length; at += MESSAGES_AT_ONCE) {
    await test.tell(...messages.slice(at, at + MESSAGES_AT_ONCE));
  }
  return passkeys;
}

if (import.meta.main) await run();
