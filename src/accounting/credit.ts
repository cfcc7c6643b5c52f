// What percent of the bytes that really moved is credited at a moment: the torrent's own percentages
// and every window that is open then (freeleech, multipliers, a token), of which the best for the
// member counts. Pure. It decides about credit only: records keep the real bytes beside it.

/** Whole percent, 0 to 65,535; 100 is what really moved. */
export interface Credit {
  readonly uploadCreditPercent: number;
  readonly downloadCreditPercent: number;
}

/** Open from `fromMs` until just before `untilMs`, Unix milliseconds. */
export interface CreditWindow extends Credit {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** For windows that nobody has set an end to. */
export const NO_END_MS: number = Number.MAX_SAFE_INTEGER;

export const REAL_BYTES: Credit = { uploadCreditPercent: 100, downloadCreditPercent: 100 };

export function isOpen(window: CreditWindow, atMs: number): boolean {
  return window.fromMs <= atMs && atMs < window.untilMs;
}

/** The highest percentage for uploads, the lowest for downloads. */
export function creditAt(base: Credit, windows: readonly CreditWindow[], atMs: number): Credit {
  const { uploadCreditPercent, downloadCreditPercent } = base;
  const credit = { uploadCreditPercent, downloadCreditPercent };
  improveCredit(credit, windows, atMs);
  return credit;
}

/** The same into an object of the caller's, for paths that allocate nothing. */
export function improveCredit(
  credit: { uploadCreditPercent: number; downloadCreditPercent: number },
  windows: readonly CreditWindow[],
  atMs: number,
): void {
  for (const window of windows) {
    if (!isOpen(window, atMs)) continue;
    if (window.uploadCreditPercent > credit.uploadCreditPercent) {
      credit.uploadCreditPercent = window.uploadCreditPercent;
    }
    if (window.downloadCreditPercent < credit.downloadCreditPercent) {
      credit.downloadCreditPercent = window.downloadCreditPercent;
    }
  }
}
