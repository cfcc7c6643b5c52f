// A member's ratio as a sentence. A bare number hides the two cases that matter most: nothing taken
// yet, and nothing given yet.

import { formatBytes } from './bytes.ts';

export interface Ratio {
  /** Credited bytes. */
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  /** Given where the community asks for one. */
  readonly required?: number;
}

/** Who the sentence is about: the reader, or a member by name. */
export type Whom = 'you' | { readonly name: string };

/** `You have given 1.8 times what you took; 0.6 is required.` */
export function ratioSentence(ratio: Ratio, whom: Whom = 'you'): string {
  const who = whom === 'you' ? 'You have' : `${whom.name} has`;
  const they = whom === 'you' ? 'you' : 'they';
  const required =
    ratio.required === undefined ? '' : `; ${formatRatio(ratio.required)} is required`;
  const { uploadedBytes, downloadedBytes } = ratio;
  if (downloadedBytes === 0 && uploadedBytes === 0)
    return `${who} not given or taken anything yet.`;
  if (downloadedBytes === 0) return `${who} given ${formatBytes(uploadedBytes)} and taken nothing.`;
  if (uploadedBytes === 0) {
    return `${who} taken ${formatBytes(downloadedBytes)} and given nothing yet${required}.`;
  }
  const value = uploadedBytes / downloadedBytes;
  // Such a member would read "0 times"; the bytes say more.
  if (value < 0.005) {
    const taken = formatBytes(downloadedBytes);
    return `${who} given ${formatBytes(uploadedBytes)} for ${taken} taken${required}.`;
  }
  return `${who} given ${formatRatio(value)} times what ${they} took${required}.`;
}

/** `1.8`, `0.62`, `12`, rounded down so that nobody is told they have reached what they have not. */
export function formatRatio(value: number): string {
  if (value >= 100) return String(Math.floor(value));
  // Floating point would make 0.29 of 29/100; the tiny addend is far below what is shown.
  const hundredths = Math.floor(value * 100 + 1e-9);
  return String(value >= 10 ? Math.floor(hundredths / 10) / 10 : hundredths / 100);
}

/** The figure alone, for the strip: `1.8`, or a dash before anything was taken. */
export function ratioFigure({ uploadedBytes, downloadedBytes }: Ratio): string {
  return downloadedBytes === 0 ? '–' : formatRatio(uploadedBytes / downloadedBytes);
}
