// The windows of credit that the site opened: for everybody or one member, on all torrents or one.
// Asked once for each record, at the record's own time; without windows that costs one comparison.

import { type Credit, type CreditWindow, improveCredit } from '#accounting/credit.ts';
import type { CreditWindowMessage } from '#wire/control-message.ts';

type Windows = CreditWindowMessage[];

const NONE: readonly CreditWindow[] = [];

export class CreditTable {
  readonly #windows = new Map<number, CreditWindowMessage>();
  /** By member, then by torrent; 0 is all of them. */
  readonly #index = new Map<number, Map<number, Windows>>();
  readonly #credit = { uploadCreditPercent: 100, downloadCreditPercent: 100 };

  get size(): number {
    return this.#windows.size;
  }

  /** Takes effect at once. Applying a message twice changes nothing. */
  apply(message: CreditWindowMessage): void {
    this.#drop(message.windowId);
    if (message.state === 'removed') return;
    const { windowId, memberId, torrentId } = message;
    this.#windows.set(windowId, message);
    const torrents = this.#index.get(memberId) ?? new Map<number, Windows>();
    this.#index.set(memberId, torrents);
    const windows = torrents.get(torrentId);
    if (windows === undefined) torrents.set(torrentId, [message]);
    else windows.push(message);
  }

  clear(): void {
    this.#windows.clear();
    this.#index.clear();
  }

  /**
   * What counts for the member's transfer of the torrent at a moment. `base` itself when no window
   * does, else an object that the next call overwrites. Who is not named (0) has what everybody has.
   */
  at(base: Credit, who: { memberId: number; torrentId: number }, atMs: number): Credit {
    if (this.#windows.size === 0) return base;
    const credit = this.#credit;
    credit.uploadCreditPercent = base.uploadCreditPercent;
    credit.downloadCreditPercent = base.downloadCreditPercent;
    this.#improve(this.#index.get(0), who.torrentId, atMs);
    if (who.memberId !== 0) this.#improve(this.#index.get(who.memberId), who.torrentId, atMs);
    return credit;
  }

  #improve(torrents: Map<number, Windows> | undefined, torrentId: number, atMs: number): void {
    if (torrents === undefined) return;
    improveCredit(this.#credit, torrents.get(0) ?? NONE, atMs);
    improveCredit(this.#credit, torrents.get(torrentId) ?? NONE, atMs);
  }

  #drop(windowId: number): void {
    const window = this.#windows.get(windowId);
    if (window === undefined) return;
    this.#windows.delete(windowId);
    const torrents = this.#index.get(window.memberId);
    const rest = torrents?.get(window.torrentId)?.filter((one) => one.windowId !== windowId) ?? [];
    if (rest.length > 0) torrents?.set(window.torrentId, rest);
    else torrents?.delete(window.torrentId);
    if (torrents?.size === 0) this.#index.delete(window.memberId);
  }
}
