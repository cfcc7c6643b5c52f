// Counts a socket's failed operations. One failure is counted, logged at most once a second per kind
// and ends nothing; a kind that fails again and again without a success between is told as lasting.

import type { Clock } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Registry } from '#metrics/registry.ts';
import { NetError } from './errors.ts';

export type FailureKind = 'receive' | 'send' | 'accept';

const FAILURES_LASTING = 1000;
const MS_LASTING = 10_000;
const LOG_INTERVAL_MS = 1000;

interface Row {
  inRow: number;
  sinceMs: number;
  loggedMs: number;
}

export class FailureGauge {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #counter: ReturnType<Registry['counter']>;
  readonly #name: string;
  readonly #onLasting: (error: Error) => void;
  readonly #rows = new Map<FailureKind, Row>();
  #told = false;

  constructor(world: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly metrics: Registry;
    /** For messages: `UDP 127.0.0.1:6969`. */
    readonly name: string;
    /** At most once: 1,000 failures of one kind in a row over at least 10 seconds. */
    readonly onLasting: (error: Error) => void;
  }) {
    this.#clock = world.clock;
    this.#logger = world.logger;
    this.#counter = world.metrics.counter(
      'swarmkeep_socket_failures_total',
      'Failed receives, sends and accepts of listening sockets.',
    );
    this.#name = world.name;
    this.#onLasting = world.onLasting;
  }

  failed(kind: FailureKind, error: unknown): void {
    this.#counter.add(1, { kind, code: codeOf(error) ?? 'unknown' });
    const nowMs = this.#clock.monotonicMs();
    let row = this.#rows.get(kind);
    if (row === undefined) {
      row = { inRow: 0, sinceMs: nowMs, loggedMs: Number.NEGATIVE_INFINITY };
      this.#rows.set(kind, row);
    }
    if (row.inRow++ === 0) row.sinceMs = nowMs;
    if (nowMs - row.loggedMs >= LOG_INTERVAL_MS) {
      row.loggedMs = nowMs;
      this.#logger.warn(`${this.#name}: a ${kind} failed`, {
        cause: messageOf(error),
        inRow: row.inRow,
      });
    }
    const isLasting = row.inRow >= FAILURES_LASTING && nowMs - row.sinceMs >= MS_LASTING;
    if (!isLasting || this.#told) return;
    this.#told = true;
    this.#onLasting(
      new NetError(
        'NET_SOCKET_FAILED',
        `${this.#name}: ${row.inRow} times in a row a ${kind} failed`,
        { cause: error },
      ),
    );
  }

  worked(kind: FailureKind): void {
    const row = this.#rows.get(kind);
    if (row !== undefined) row.inRow = 0;
  }
}
