// Announces whose answer waits: for the look-up of an old baseline, or for their record to be on
// disk. Bounded; a retransmission joins the one that waits instead of being counted again.

import { type AnnounceRequest, DOOR } from '#swarm/announce-slot.ts';
import type { DirectoryMember } from '#tracker/directory/directory.ts';
import type { Refusal } from '#tracker/refusals.ts';
import type { TorrentCredit } from './admit.ts';
import type { FamilyAnswer } from './answer.ts';
import { ClientFilter } from './client-filter.ts';

/** A question that its door will answer later. Exactly one of these is called, once. */
export interface Parked {
  /** `answer` is valid during the call. */
  answer(answer: FamilyAnswer): void;
  refuse(refusal: Refusal): void;
  /** No answer over UDP, 503 over HTTP: the client tries again. */
  drop(): void;
}

/** Questions answered with one wait: the first and its retransmissions. */
const JOINED_MAX = 8;

/** Whom and what admission found behind a request. */
export interface Admitted {
  readonly member: DirectoryMember | undefined;
  readonly torrent: TorrentCredit;
}

export interface WaitingEntry extends Admitted {
  readonly key: string;
  readonly request: AnnounceRequest;
  /** Judged when it came; at its end the swarm would call it a repeat. */
  early: boolean;
  readonly parked: Parked[];
}

export class WaitingTable {
  readonly #entries = new Map<string, WaitingEntry>();
  readonly #clients = new ClientFilter();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  get isFull(): boolean {
    return this.#entries.size >= this.#max;
  }

  /** The same request that waits already. */
  find(request: AnnounceRequest): WaitingEntry | undefined {
    return this.#clients.mayHold(request) ? this.#entries.get(keyOf(request)) : undefined;
  }

  /** False when enough wait for the same answer: this one gets none. */
  join(entry: WaitingEntry, park: () => Parked): boolean {
    if (entry.parked.length >= JOINED_MAX) return false;
    entry.parked.push(park());
    return true;
  }

  /** `request` is copied: its owner uses it again. The table must not be full. */
  add(request: AnnounceRequest, admitted: Admitted, parked: Parked): WaitingEntry {
    const entry = {
      key: keyOf(request),
      request: copyRequest(request),
      member: admitted.member,
      torrent: admitted.torrent,
      early: false,
      parked: [parked],
    };
    this.#entries.set(entry.key, entry);
    this.#clients.add(entry.request);
    return entry;
  }

  /** The entry waits no more; its owner answers `parked`. False when it was taken out before. */
  remove(entry: WaitingEntry): boolean {
    if (!this.#entries.delete(entry.key)) return false;
    this.#clients.remove(entry.request);
    return true;
  }

  /** Takes every entry out, for the end of the tracker. */
  drain(): WaitingEntry[] {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    this.#clients.clear();
    return entries;
  }
}

export function newAnnounceRequest(): AnnounceRequest {
  return {
    door: 0,
    event: 0,
    family: 4,
    address: new Uint8Array(16),
    port: 0,
    isTls: false,
    connection: 0,
    worker: 0,
    infoHash: new Uint8Array(20),
    peerId: new Uint8Array(20),
    key: 0,
    uploaded: 0,
    downloaded: 0,
    left: 0,
    numwant: -1,
    memberId: 0,
    torrentId: 0,
    hashVersion: 0,
    place: 0,
  };
}

function copyRequest(request: AnnounceRequest): AnnounceRequest {
  return {
    ...request,
    address: request.address.slice(),
    infoHash: request.infoHash.slice(),
    peerId: request.peerId.slice(),
  };
}

/** T10's "same request": peer, hash, family, door, event and counters. */
function keyOf(request: AnnounceRequest): string {
  const { memberId, torrentId, peerId, hashVersion, family, door, event } = request;
  const peer = Buffer.from(peerId.buffer, peerId.byteOffset, 20).toString('latin1', 0, 20);
  const place = placeOf(request);
  const counters = `${request.uploaded}:${request.downloaded}:${request.left}`;
  return `${memberId}:${torrentId}:${hashVersion}:${family}:${door}:${event}:${counters}:${place}${peer}`;
}

/** Who is nobody's client is told apart by address and port, a WebSocket peer by its connection. */
function placeOf(request: AnnounceRequest): string {
  if (request.door === DOOR.websocket) return `${request.worker}.${request.connection}:`;
  return request.memberId === 0 ? endpointOf(request) : '';
}

function endpointOf(request: AnnounceRequest): string {
  const { address } = request;
  return `${Buffer.from(address.buffer, address.byteOffset, 16).toString('latin1', 0, 16)}${request.port}:`;
}
