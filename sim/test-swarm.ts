// A small swarm on a simulated clock, spoken to as the tracker does: begin, measure, settle.

import { SeededRandom } from '#base/random.ts';
import type { AnnounceOutcome } from '#swarm/announce-outcome.ts';
import { type AnnounceRequest, EVENT } from '#swarm/announce-slot.ts';
import type { Baseline } from '#swarm/baseline.ts';
import type { SwarmConfig } from '#swarm/config.ts';
import { Swarm } from '#swarm/swarm.ts';
import { newSwarmCounts } from '#swarm/swarm-views.ts';
import { announceOf, hashOf, numbersOf, smallSwarm } from './announces.ts';
import { SimClock } from './clock.ts';

/** Torrent 1 is there; member 1 announces it unless told otherwise. */
export class TestSwarm {
  readonly clock = new SimClock();
  readonly swarm: Swarm;
  readonly #config: SwarmConfig;

  constructor(settings: Partial<SwarmConfig> = {}) {
    this.#config = smallSwarm(settings);
    const memory = Swarm.reserve(this.#config);
    const random = new SeededRandom(7);
    this.swarm = new Swarm({ memory, clock: this.clock, random, config: this.#config });
    this.swarm.addTorrent(1, { v1: hashOf(1) });
  }

  announce(changes: Partial<AnnounceRequest>): AnnounceOutcome {
    const request = announceOf(changes);
    const outcome = this.swarm.begin(request);
    if (outcome.refused === 'none') {
      const nowSeconds = this.clock.nowMs() / 1000;
      this.swarm.settle(request, numbersOf(request, nowSeconds, outcome.sequence + 1));
    }
    return outcome;
  }

  stop(changes: Partial<AnnounceRequest>): AnnounceOutcome {
    return this.announce({ ...changes, event: EVENT.stopped });
  }

  /** Sorted `address:port`, or hex for family 6. */
  peersFor(changes: Partial<AnnounceRequest>, family: 4 | 6 = 4, want = 50): string[] {
    const into = new Uint8Array(200 * 18);
    const count = this.swarm.select(announceOf(changes), family, want, into);
    const size = family === 4 ? 6 : 18;
    const peers: string[] = [];
    for (let at = 0; at < count * size; at += size) {
      const bytes = Buffer.from(into.subarray(at, at + size));
      const port = bytes.readUInt16BE(size - 2);
      peers.push(
        family === 4 ? `${bytes.subarray(0, 4).join('.')}:${port}` : bytes.toString('hex'),
      );
    }
    return peers.sort();
  }

  counts() {
    const counts = newSwarmCounts();
    this.swarm.counts(1, counts);
    return counts;
  }

  /** One full pass. */
  sweep(): Baseline[] {
    const dropped: Baseline[] = [];
    while (this.swarm.sweep(10, (baseline) => dropped.push(baseline)) === 10) {}
    return dropped;
  }

  baseline(changes: Partial<Baseline>): Baseline {
    const nowSeconds = Math.floor(this.clock.nowMs() / 1000);
    const request = announceOf();
    const key = { memberId: 1, torrentId: 1, peerId: request.peerId };
    return { ...key, ...numbersOf(request, nowSeconds), lastSeenSeconds: nowSeconds, ...changes };
  }
}
