// Fills the one answer of a thread: which peers, how many, when to come again (T10, T11).

import { utf8 } from '#base/bytes.ts';
import type { AnnounceOutcome } from '#swarm/announce-outcome.ts';
import { type AnnounceRequest, DOOR } from '#swarm/announce-slot.ts';
import type { Swarm } from '#swarm/swarm.ts';
import { newSwarmCounts } from '#swarm/swarm-views.ts';
import type { AnnounceAnswer } from '#wire/announce-target.ts';

const PEER4_BYTES = 6;
const PEER6_BYTES = 18;
/** An answer over UDP stays below 1,500 bytes with its headers: fragments get lost. */
const UDP_PEERS_MAX = { 4: 242, 6: 79 } as const;
const NO_WARNING: Uint8Array = new Uint8Array(0);

export type FamilyAnswer = AnnounceAnswer & {
  /** The asker's: a UDP answer has peers of it alone. */
  family: 4 | 6;
  /** For a WebSocket asker: whom its offers go to, as Swarm.selectWebrtc() writes them. */
  readonly webrtc: Uint8Array;
  webrtcCount: number;
};

export class AnswerMaker {
  readonly answer: FamilyAnswer;
  readonly #swarm: Pick<Swarm, 'select' | 'selectWebrtc' | 'counts'>;
  readonly #counts = newSwarmCounts();
  readonly #intervalSeconds: number;
  readonly #jitterSeconds: number;
  readonly #peersDefault: number;
  readonly #peersMax: number;
  readonly #warning: Uint8Array;

  constructor(
    swarm: Pick<Swarm, 'select' | 'selectWebrtc' | 'counts'>,
    limits: {
      readonly announceIntervalMs: number;
      readonly announceIntervalMsMin: number;
      readonly announceJitterPercent: number;
      readonly peersPerAnswer: number;
      readonly peersPerAnswerMax: number;
    },
  ) {
    const minIntervalSeconds = Math.ceil(limits.announceIntervalMsMin / 1000);
    this.#swarm = swarm;
    this.#intervalSeconds = Math.max(1, Math.round(limits.announceIntervalMs / 1000));
    this.#jitterSeconds = Math.floor((this.#intervalSeconds * limits.announceJitterPercent) / 100);
    this.#peersDefault = Math.min(limits.peersPerAnswer, limits.peersPerAnswerMax);
    this.#peersMax = limits.peersPerAnswerMax;
    this.#warning = utf8(
      `announced too early, so no peers this time: wait ${minIntervalSeconds} seconds`,
    );
    this.answer = {
      family: 4,
      intervalSeconds: this.#intervalSeconds,
      minIntervalSeconds,
      seeders: 0,
      leechers: 0,
      completed: 0,
      peers4: new Uint8Array(this.#peersMax * PEER4_BYTES),
      peers4Count: 0,
      peers6: new Uint8Array(this.#peersMax * PEER6_BYTES),
      peers6Count: 0,
      webrtc: new Uint8Array(this.#peersMax * PEER4_BYTES),
      webrtcCount: 0,
      externalBytes: 0,
      externalAddress: new Uint8Array(16),
      warning: NO_WARNING,
    };
  }

  /** Chooses peers, or none. May be called between the swarm's begin and settle, or alone. */
  select(request: AnnounceRequest, wantsPeers: boolean): void {
    const { answer } = this;
    answer.peers4Count = 0;
    answer.peers6Count = 0;
    answer.webrtcCount = 0;
    const want = wantsPeers ? this.#want(request.numwant) : 0;
    if (want === 0) return;
    if (request.door === DOOR.websocket) {
      // Browsers cannot dial addresses.
      answer.webrtcCount = this.#swarm.selectWebrtc(request, want, answer.webrtc);
      return;
    }
    const own = request.family;
    if (request.door === DOOR.udp) {
      // A UDP answer has the socket's family only.
      this.#selectFamily(request, own, Math.min(want, UDP_PEERS_MAX[own]));
      return;
    }
    const ownCount = this.#selectFamily(request, own, want);
    const otherWant = Math.max(want - ownCount, Math.floor(want / 4));
    if (otherWant === 0) return;
    const otherCount = this.#selectFamily(request, own === 4 ? 6 : 4, otherWant);
    // Any part of a random choice is a random choice, so the list of its own family is cut.
    const ownKept = Math.min(ownCount, want - otherCount);
    if (own === 4) answer.peers4Count = ownKept;
    else answer.peers6Count = ownKept;
  }

  /** The rest of an answer, after the swarm's settle. */
  fill(request: AnnounceRequest, outcome: AnnounceOutcome, warns: boolean): void {
    const { answer } = this;
    answer.seeders = outcome.seeders;
    answer.leechers = outcome.leechers + outcome.partialSeeds;
    answer.completed = outcome.downloadsCompleted;
    this.#fillCommon(request, warns);
  }

  /** The same for an answer that waited: the counts are those of now. */
  fillFromCounts(request: AnnounceRequest, warns: boolean): void {
    const { answer } = this;
    const counts = this.#counts;
    const isKnown = this.#swarm.counts(request.torrentId, counts);
    answer.seeders = isKnown ? counts.seeders : 0;
    answer.leechers = isKnown ? counts.leechers + counts.partialSeeds : 0;
    answer.completed = isKnown ? counts.completed : 0;
    this.#fillCommon(request, warns);
  }

  #fillCommon(request: AnnounceRequest, warns: boolean): void {
    const { answer } = this;
    answer.intervalSeconds = this.#intervalSeconds + this.#jitter(request);
    answer.warning = warns ? this.#warning : NO_WARNING;
    answer.family = request.family;
    // A UDP answer has no place for it.
    if (request.door === DOOR.udp) return;
    answer.externalBytes = request.family === 4 ? 4 : 16;
    for (let at = 0; at < answer.externalBytes; at++) {
      answer.externalAddress[at] = request.address[at]!;
    }
  }

  #want(numwant: number): number {
    return numwant < 0 ? this.#peersDefault : Math.min(numwant, this.#peersMax);
  }

  #selectFamily(request: AnnounceRequest, family: 4 | 6, want: number): number {
    const { answer } = this;
    if (family === 4) {
      answer.peers4Count = this.#swarm.select(request, 4, want, answer.peers4);
      return answer.peers4Count;
    }
    answer.peers6Count = this.#swarm.select(request, 6, want, answer.peers6);
    return answer.peers6Count;
  }

  /** From the random part of the peer id and the hash: a client in a torrent always gets the same. */
  #jitter(request: AnnounceRequest): number {
    if (this.#jitterSeconds === 0) return 0;
    const { peerId, infoHash } = request;
    let hash = wordAt(peerId, 16) ^ Math.imul(wordAt(infoHash, 0), 0x9e37_79b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ wordAt(peerId, 12), 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ wordAt(peerId, 8), 0xc2b2_ae35);
    return (((hash ^ (hash >>> 16)) >>> 0) % (this.#jitterSeconds * 2 + 1)) - this.#jitterSeconds;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
