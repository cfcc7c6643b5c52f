// Scrapes (T6): counts of torrents by hash. Who may ask is decided here too: in private modes HTTP
// needs the passkey, and UDP, which carries none, an address from which a member announced lately.

import type { Swarm } from '#swarm/swarm.ts';
import { newSwarmCounts } from '#swarm/swarm-views.ts';
import type { AddressMemory } from '#tracker/announce/address-memory.ts';
import type { Admission } from '#tracker/announce/admit.ts';
import { REFUSALS, type Refusal } from './refusals.ts';

const HASH_BYTES = 20;

/** Filled by `read`; the same index in each list belongs to one hash. */
export interface ScrapeResult {
  count: number;
  readonly hashes: Uint8Array;
  readonly seeders: Float64Array;
  /** Partial seeds counted in. */
  readonly leechers: Float64Array;
  readonly completed: Float64Array;
  /** Leechers without partial seeds. */
  readonly downloaders: Float64Array;
}

/** How hashes are looked up. */
export interface ScrapeForm {
  /** Unknown ones count nothing, so that every hash keeps its place; else they are left out. */
  readonly keepsUnknown: boolean;
  /** Asked by TLS. */
  readonly isTls: boolean;
}

export const SCRAPE_FORMS: Readonly<Record<'udp' | 'plain' | 'tls', ScrapeForm>> = {
  udp: { keepsUnknown: true, isTls: false },
  plain: { keepsUnknown: false, isTls: false },
  tls: { keepsUnknown: false, isTls: true },
};

export class Scraper {
  readonly result: ScrapeResult;
  readonly #swarm: Pick<Swarm, 'counts' | 'torrentByHash'>;
  readonly #admission: Admission;
  readonly #addresses: AddressMemory;
  readonly #counts = newSwarmCounts();
  readonly #hash = new Uint8Array(HASH_BYTES);

  constructor(
    world: {
      readonly swarm: Pick<Swarm, 'counts' | 'torrentByHash'>;
      readonly admission: Admission;
      readonly addresses: AddressMemory;
    },
    hashesMax: number,
  ) {
    this.#swarm = world.swarm;
    this.#admission = world.admission;
    this.#addresses = world.addresses;
    this.result = {
      count: 0,
      hashes: new Uint8Array(hashesMax * HASH_BYTES),
      seeders: new Float64Array(hashesMax),
      leechers: new Float64Array(hashesMax),
      completed: new Float64Array(hashesMax),
      downloaders: new Float64Array(hashesMax),
    };
  }

  refuseUdp(address: Uint8Array, family: 4 | 6): Refusal | undefined {
    if (!this.#admission.needsPasskey) return undefined;
    return this.#addresses.hasAnnounced(address, family) ? undefined : REFUSALS.scrapeUnproven;
  }

  refuseHttp(passkey: Uint8Array, passkeyBytes: number): Refusal | undefined {
    return this.#admission.identify(passkey, passkeyBytes, false);
  }

  /** Looks `count` hashes up, for the one who was not refused last. */
  read(hashes: Uint8Array, count: number, form: ScrapeForm): ScrapeResult {
    const { result } = this;
    const counts = this.#counts;
    result.count = 0;
    for (let index = 0; index < count; index++) {
      const from = index * HASH_BYTES;
      for (let at = 0; at < HASH_BYTES; at++) this.#hash[at] = hashes[from + at]!;
      const hash = form.isTls ? this.#admission.hashFor(this.#hash, true) : this.#hash;
      const torrentId = this.#swarm.torrentByHash(hash);
      const isKnown = torrentId !== 0 && this.#swarm.counts(torrentId, counts);
      if (!isKnown && !form.keepsUnknown) continue;
      const place = result.count++;
      result.hashes.set(this.#hash, place * HASH_BYTES);
      result.seeders[place] = isKnown ? counts.seeders : 0;
      result.leechers[place] = isKnown ? counts.leechers + counts.partialSeeds : 0;
      result.completed[place] = isKnown ? counts.completed : 0;
      result.downloaders[place] = isKnown ? counts.leechers : 0;
    }
    return result;
  }
}
