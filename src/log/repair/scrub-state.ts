// Where the scrub of a log stands, over restarts: `<log>/_scrub.json`, which no topic can be called.
// It is replaced as a whole (descriptions.ts), so that it is never half written; what it says may be
// some seconds old, and then those segments are read once more.

import { z } from 'zod';

export const SCRUB_FILE = '_scrub.json';
/** Damaged places of one pass that are counted and remembered. */
export const FOUND_MAX = 4096;

const passTotals = {
  startedMs: z.int().min(0),
  bytes: z.int().min(0),
  segments: z.int().min(0),
  /** `<topic>/<segment>:<position>` of each damaged place, reported before it is written here. */
  found: z.array(z.string()).max(FOUND_MAX),
};

const pass = z.object({
  ...passTotals,
  /** The next to be read, or the first after it that is there. */
  topic: z.string(),
  segment: z.int().min(0),
  /** In that segment: a place where a batch ends, and the offset there; 0 for its beginning. */
  position: z.int().min(0),
  offset: z.int().min(0),
});

const lastPass = z.object({ ...passTotals, finishedMs: z.int().min(0) });

export const scrubFile = z.object({
  version: z.int().min(1),
  /** The one under way. */
  pass: pass.optional(),
  /** The last that came to its end. */
  last: lastPass.optional(),
});

type Plain<T> = { -readonly [Key in keyof T]: T[Key] };

/** Moves as the scrub goes on. */
export type ScrubPass = Plain<z.output<typeof pass>>;
export type FinishedPass = z.output<typeof lastPass>;

export function newPass(startedMs: number): ScrubPass {
  return {
    startedMs,
    bytes: 0,
    segments: 0,
    found: [],
    topic: '',
    segment: 0,
    position: 0,
    offset: 0,
  };
}
