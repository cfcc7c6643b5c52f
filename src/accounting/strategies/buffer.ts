// How far a member is from what is asked of them, in bytes: what may still be taken at today's
// requirement, or what is to be given to reach it.

import type { Verdict } from './strategy.ts';

export interface Buffer {
  /** `room`: so much may be taken before the ratio falls short; `owed`: so much is to be given. */
  readonly kind: 'room' | 'owed';
  readonly bytes: number;
  /** Undefined while nothing is asked yet: the room is then up to that. */
  readonly required: number | undefined;
}

/** Undefined where no ratio is asked for. Credited bytes. */
export function bufferOf(
  { findings }: Verdict,
  moved: { readonly uploadedBytes: number; readonly downloadedBytes: number },
): Buffer | undefined {
  const { uploadedBytes, downloadedBytes } = moved;
  for (const finding of findings) {
    if (finding.kind === 'grace') {
      const bytes = Math.max(0, finding.graceBytes - finding.downloadedBytes);
      return { kind: 'room', bytes, required: undefined };
    }
    if (finding.kind !== 'ratio' || finding.required === 0) continue;
    const { required } = finding;
    // Compared as the strategy compares, so that the two never disagree about the last byte.
    return finding.ratio >= required
      ? { kind: 'room', bytes: Math.floor(uploadedBytes / required - downloadedBytes), required }
      : { kind: 'owed', bytes: Math.ceil(required * downloadedBytes - uploadedBytes), required };
  }
  return undefined;
}
