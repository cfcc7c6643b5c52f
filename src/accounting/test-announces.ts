// For tests: a tracker reduced to its accounting. It keeps baselines in a map, applies the rule of
// delta.ts and makes the records that a real one would push.

import { type Baseline, baselineKeyText } from '#accounting/baselines/baseline.ts';
import {
  encodeTransfer,
  TRANSFER_EVENT,
  TRANSFER_RECORD_BYTES,
  type TransferEvent,
} from '#accounting/transfers/transfer-record.ts';
import { assert } from '#base/assert.ts';
import { computeDelta, newDeltaResult, transferFlags } from './delta.ts';

export interface TestAnnounce {
  readonly memberId?: number;
  readonly torrentId?: number;
  /** The peer id's first letter; the rest is made of it. */
  readonly peer?: string;
  readonly event?: keyof typeof TRANSFER_EVENT;
  readonly uploaded?: number;
  readonly downloaded?: number;
  readonly left?: number;
  readonly key?: number;
  /** Seconds after the test's start. */
  readonly at?: number;
  readonly uploadCreditPercent?: number;
  readonly downloadCreditPercent?: number;
}

export const TEST_START_MS = Date.UTC(2026, 0, 1);

const NOBODY = newDeltaResult().next;

export class TestAnnounces {
  readonly baselines = new Map<string, Baseline>();
  readonly resetAfterSeconds = 120;
  readonly #result = newDeltaResult();

  /** The record of this announce, which must make one; the baseline has moved already. */
  announce(given: TestAnnounce): Uint8Array {
    const record = this.receive(given);
    assert(record !== undefined, 'the announce is not of a session that is over');
    return record;
  }

  /** The same, but undefined when the rule takes the announce for a packet of a session before. */
  receive(given: TestAnnounce): Uint8Array | undefined {
    const announce = { ...DEFAULTS, ...given };
    const { memberId, torrentId, uploaded, downloaded, left, key } = announce;
    const event: TransferEvent = TRANSFER_EVENT[announce.event];
    const peerId = peerIdOf(announce.peer);
    const timeMs = TEST_START_MS + announce.at * 1000;
    const nowSeconds = timeMs / 1000;
    const text = baselineKeyText({ memberId, torrentId, peerId });
    const before = this.baselines.get(text);
    const result = this.#result;
    const { resetAfterSeconds } = this;
    computeDelta(
      {
        known: before !== undefined,
        previous: before ?? NOBODY,
        ...{ event, uploaded, downloaded, left, key, nowSeconds, resetAfterSeconds },
      },
      result,
    );
    const { next, uploadedDelta, downloadedDelta } = result;
    if (result.kind === 'stale') return undefined;
    const { streams, ...numbers } = next;
    this.baselines.set(text, {
      ...numbers,
      ...(streams.count > 0 && {
        streams: { count: streams.count, numbers: streams.numbers.slice() },
      }),
      ...{ memberId, torrentId, peerId },
      lastSeenSeconds: nowSeconds,
    });
    const bytes = new Uint8Array(TRANSFER_RECORD_BYTES);
    encodeTransfer(bytes, 0, {
      ...{ event, memberId, torrentId, peerId, key, timeMs, uploadedDelta, downloadedDelta },
      flags: transferFlags(result, before?.left === 0, false),
      door: 0,
      family: 4,
      port: 6881,
      sequence: next.sequence,
      elapsedSeconds: before === undefined ? 0 : Math.max(0, nowSeconds - before.lastSeenSeconds),
      uploaded: next.uploaded,
      downloaded: next.downloaded,
      left: next.left,
      address: new Uint8Array([10, 77, 0, 1]),
      uploadCreditPercent: announce.uploadCreditPercent,
      downloadCreditPercent: announce.downloadCreditPercent,
      hashVersion: 1,
    });
    return bytes;
  }

  /** Puts back what a lost record moved; `before` is what the map held. */
  rollback(key: string, before: Baseline | undefined): void {
    if (before === undefined) this.baselines.delete(key);
    else this.baselines.set(key, before);
  }
}

export function peerIdOf(peer: string): Uint8Array {
  return new Uint8Array(Buffer.from(`-TR4050-${peer.padEnd(12, '.').slice(0, 12)}`, 'latin1'));
}

const DEFAULTS: Required<TestAnnounce> = {
  memberId: 1,
  torrentId: 1,
  peer: 'a',
  event: 'none',
  uploaded: 0,
  downloaded: 0,
  left: 1000,
  key: 0,
  at: 0,
  uploadCreditPercent: 100,
  downloadCreditPercent: 100,
};
