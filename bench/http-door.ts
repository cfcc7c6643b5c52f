// What the HTTP door costs without a socket: requests of the load generator's community are put into a
// connection's input and handled, from the head to the answer's bytes, in private mode. CPU time of this
// thread, without the time that putting them there takes. For profiles: the kernel is not in it.
// By itself: node -C swarmkeep-src bench/http-door.ts

import { toHex } from '#base/bytes.ts';
import { inlineMore } from '#base/compiler.ts';
import { SlotStream } from '#sim/slot-stream.ts';
import { memberMessage, TestTracker, torrentMessage } from '#sim/test-tracker.ts';
import { HASH_BYTES, madeHashes, madePasskey } from './load/community.ts';
import { requestsOf } from './load/http-replay.ts';

const TORRENTS = 48;
const MEMBERS = 29;
const PEERS = 2400;
const ANNOUNCES = 500_000;
const TURNS = 5;
const BATCH = 512;

/** Prints nanoseconds per announce and bytes per answer. */
export async function run(): Promise<void> {
  inlineMore();
  const hashes = madeHashes(TORRENTS);
  const streams: SlotStream[] = [];
  const test = await TestTracker.start({
    openTcp: SlotStream.opener((stream) => streams.push(stream)),
    tracker: { mode: 'private', addresses: ['127.0.0.1'] },
    swarm: { announceIntervalMsMin: 0, peersPerMemberTorrentMax: 64 },
    accounting: { recordsPendingMax: 1_000_000 },
  });
  try {
    const passkeys = Array.from({ length: MEMBERS }, (_, member) => madePasskey(member));
    await test.tell(
      ...passkeys.map((passkey, member) => memberMessage(member + 1, passkey)),
      ...Array.from({ length: TORRENTS }, (_, torrent) => {
        const hash = hashes.slice(torrent * HASH_BYTES, (torrent + 1) * HASH_BYTES);
        return torrentMessage(torrent + 1, toHex(hash));
      }),
    );
    const community = { hashes, peers: PEERS, sources: 4, seederChance: 0.75, wanted: 30 };
    const requests = split(
      requestsOf({ ...community, isEven: true, passkeys, isClosedEach: false }),
    );
    const stream = streams[0]!;
    const walk = async (announces: number, isHandled: boolean): Promise<number> => {
      const before = process.threadCpuUsage();
      for (let done = 0; done < announces; done++) {
        const request = requests[done % requests.length]!;
        stream.input.set(request);
        if (isHandled) stream.receive(request.length);
        // The log and the timers have their turn.
        if (done % BATCH === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      const used = process.threadCpuUsage(before);
      return used.user + used.system;
    };
    await walk(4 * requests.length, true);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await walk(ANNOUNCES / 2, true);
    const times: number[] = [];
    for (let turn = 0; turn < TURNS; turn++) {
      const putting = await walk(ANNOUNCES, false);
      times.push(((await walk(ANNOUNCES, true)) - putting) * (1000 / ANNOUNCES));
    }
    times.sort((a, b) => a - b);
    const bytes = stream.sentBytes / stream.writes;
    process.stdout.write(
      `http-door: private: ${Math.round(times[0]!)} to ${Math.round(times[TURNS - 1]!)} ns per announce, ` +
        `median ${Math.round(times[TURNS >> 1]!)}, ${bytes.toFixed(0)} bytes per answer\n`,
    );
  } finally {
    await test.close();
  }
}

/** Each request stands behind its length, two bytes. */
function split(all: Buffer): Uint8Array[] {
  const requests: Uint8Array[] = [];
  for (let at = 0; at < all.length; ) {
    const length = all.readUInt16LE(at);
    requests.push(all.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return requests;
}

if (import.meta.main) await run();
