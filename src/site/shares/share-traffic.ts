// What was given by each share. Sums wait in memory and are written now and then; what a crash takes of
// them is at most what was given since.

import type { Clock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Sql } from '#sql/sql.ts';
import { addSentBytes } from './shares.ts';

const WRITE_MS = 1000;

export class ShareTraffic {
  readonly #world: { readonly sql: Sql; readonly clock: Clock; readonly logger: Logger };
  #waiting = new Map<number, number>();
  #isTimed = false;

  constructor(world: { readonly sql: Sql; readonly clock: Clock; readonly logger: Logger }) {
    this.#world = world;
  }

  add(shareId: number, bytes: number): void {
    this.#waiting.set(shareId, (this.#waiting.get(shareId) ?? 0) + bytes);
    if (this.#isTimed) return;
    this.#isTimed = true;
    this.#world.clock.after(WRITE_MS, () => void this.#write());
  }

  async #write(): Promise<void> {
    this.#isTimed = false;
    const sums = this.#waiting;
    this.#waiting = new Map();
    try {
      await addSentBytes(this.#world.sql, sums);
    } catch (error) {
      this.#world.logger.error('What shares gave could not be written', {
        error: messageOf(error),
      });
    }
  }
}
