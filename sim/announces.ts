// Announce requests for tests and benchmarks of the swarm, made from what matters in the case.

import { type AnnounceRequest, DOOR, EVENT } from '#swarm/announce-slot.ts';
import type { BaselineNumbers } from '#swarm/baseline.ts';
import { type SwarmConfig, swarmConfig } from '#swarm/config.ts';

/** A small swarm's settings; what is not said is the default. */
export function smallSwarm(settings: Partial<SwarmConfig> = {}): SwarmConfig {
  const small = { peersMax: 4096, torrentsMax: 256, membersMax: 1024, shards: 4 };
  return swarmConfig.parse({ ...small, ...settings });
}

/** A plain UDP announce of a leecher; `changes` overrides fields. Arrays are fresh ones. */
export function announceOf(changes: Partial<AnnounceRequest> = {}): AnnounceRequest {
  const family = changes.family ?? 4;
  return {
    door: DOOR.udp,
    event: EVENT.none,
    family,
    address: addressOf(changes.memberId ?? 1, family),
    port: 6881,
    isTls: false,
    connection: 0,
    worker: 0,
    infoHash: hashOf(changes.torrentId ?? 1),
    peerId: peerIdOf(changes.memberId ?? 1),
    key: 0,
    uploaded: 0,
    downloaded: 0,
    left: 1000,
    numwant: -1,
    memberId: 1,
    torrentId: 1,
    hashVersion: 1,
    place: 0,
    ...changes,
  };
}

/** What the accounting would keep of `request` on first sight. */
export function numbersOf(request: AnnounceRequest, nowSeconds = 0, sequence = 1): BaselineNumbers {
  return {
    uploaded: request.uploaded,
    downloaded: request.downloaded,
    key: request.key,
    sequence,
    higherAtSeconds: nowSeconds,
    left: request.left,
    completed: request.left === 0,
  };
}

/** 20 bytes that differ for each number; version 2 gives another hash. */
export function hashOf(number: number, version: 1 | 2 = 1): Uint8Array {
  const hash = new Uint8Array(20).fill(version);
  const view = new DataView(hash.buffer);
  view.setUint32(0, Math.imul(number, 0x9e37_79b1) >>> 0);
  view.setUint32(4, number);
  return hash;
}

export function peerIdOf(number: number): Uint8Array {
  const peerId = new Uint8Array(20).fill(0x2d);
  new DataView(peerId.buffer).setUint32(8, number);
  return peerId;
}

/** 16 bytes, of which family 4 uses four. */
export function addressOf(number: number, family: 4 | 6): Uint8Array {
  const address = new Uint8Array(16);
  const view = new DataView(address.buffer);
  if (family === 4) {
    view.setUint32(0, (0x0a00_0000 + number) >>> 0);
  } else {
    view.setUint16(0, 0xfd00);
    view.setUint32(12, number);
  }
  return address;
}
