// What seed times must be, said as simply as possible: all that is proven of a member and a torrent is
// put side by side and measured once. The ledger, which sees one record after another and remembers
// little, must come to the same (accounting/seeding/seeding.ts).

import {
  RECORD_FLAG,
  TRANSFER_EVENT,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';

const SECONDS_MAX = 3600;

export class SeedTimeModel {
  readonly #proven = new Map<string, { from: number; until: number }[]>();

  add(record: TransferRecord): void {
    const { memberId, torrentId, event, flags, timeMs, elapsedSeconds } = record;
    if (memberId === 0 || event === TRANSFER_EVENT.started) return;
    if ((flags & RECORD_FLAG.seededBefore) === 0) return;
    const until = Math.floor(timeMs / 1000);
    const spans = this.#proven.get(`${memberId}:${torrentId}`) ?? [];
    spans.push({ from: until - Math.min(elapsedSeconds, SECONDS_MAX), until });
    this.#proven.set(`${memberId}:${torrentId}`, spans);
  }

  /** Seconds in which at least one client seeded. */
  seconds(memberId: number, torrentId: number): number {
    const spans = this.#proven.get(`${memberId}:${torrentId}`) ?? [];
    let [total, reached] = [0, Number.NEGATIVE_INFINITY];
    for (const { from, until } of spans.toSorted((one, other) => one.from - other.from)) {
      total += Math.max(0, until - Math.max(from, reached));
      reached = Math.max(reached, until);
    }
    return total;
  }

  /** By itself, each client's time: more than seconds() where two seeded at once. */
  get secondsOfClients(): number {
    const spans = [...this.#proven.values()].flat();
    return spans.reduce((sum, { from, until }) => sum + until - from, 0);
  }
}
