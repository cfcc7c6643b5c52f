// What a check of the doctor finds, and what a check is.

import type { Rooms } from '#cli/rooms.ts';

export interface Finding {
  /** Which check found it: `disk`. */
  readonly check: string;
  /** One sentence for the operator: what is, or will be. */
  readonly what: string;
  /** What to do about it. */
  readonly advice: string;
}

export type Found = Omit<Finding, 'check'>;

export interface Check {
  readonly name: string;
  /** Throws when it cannot look, which is a finding as well. */
  run(rooms: Rooms, signal: AbortSignal): Promise<readonly Found[]>;
}
