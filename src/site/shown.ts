// Two pages can show one thing, and each be saved. A form therefore carries a version of what it showed, made
// of the words themselves, and a caller of the API says by `If-Match` which version it read. Whoever saves
// over words that they have not seen is refused, in the transaction that would have written them.
//
// Who says nothing of what they saw writes whatever stands there: the operator, and programs that mean it.

import { createHash } from 'node:crypto';
import { Refusal } from './refusal.ts';

/** Versions of what the writer saw, any of which is right; none when they did not say. */
export type Shown = readonly string[];

export const CHANGED_MEANWHILE = 'changed-meanwhile';
const VERSION_CHARS = 16;

/** Hexadecimal; the same for the same words in the same order. */
export function versionOf(words: readonly unknown[]): string {
  const text = JSON.stringify(words);
  return createHash('sha256').update(text).digest('hex').slice(0, VERSION_CHARS);
}

/** Of what stands there now, inside the transaction that holds it. */
export function refuseUnseen(shown: Shown, now: string): Refusal | undefined {
  if (shown.length === 0 || shown.includes(now)) return undefined;
  const words = 'Somebody changed this since you read it. Nothing was saved.';
  return new Refusal(CHANGED_MEANWHILE, words);
}

export function isUnseen(refusal: Refusal | undefined): boolean {
  return refusal?.code === CHANGED_MEANWHILE;
}
