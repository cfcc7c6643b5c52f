// What the server says of itself every ten minutes, for the charts of its console.

import type { Clock } from '#base/clock.ts';

export interface HealthParts {
  readonly clock: Clock;
  readonly ledgerLag: () => number;
  /** Peers now, and announces since the start. */
  readonly tracker: () => Promise<{ readonly peers: number; readonly announces: number }>;
  /** Resident bytes of the process. */
  readonly memoryBytes: () => number;
}

/** Whole numbers by name. */
export function healthOf(parts: HealthParts): () => Promise<Readonly<Record<string, number>>> {
  let beforeMs = parts.clock.monotonicMs();
  let before = 0;
  return async () => {
    const { peers, announces } = await parts.tracker();
    const nowMs = parts.clock.monotonicMs();
    const minutes = Math.max(1, (nowMs - beforeMs) / 60_000);
    const perMinute = Math.max(0, announces - before) / minutes;
    beforeMs = nowMs;
    before = announces;
    return {
      peers,
      announces: Math.round(perMinute),
      'ledger-lag': Math.max(0, parts.ledgerLag()),
      memory: parts.memoryBytes(),
    };
  };
}
