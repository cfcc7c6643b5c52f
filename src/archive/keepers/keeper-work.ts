// What server and keeper say to each other, as JSON by HTTP (docs/keepers.md). The keeper always asks, so it
// may sit behind any router. Copies are named by numbers of the server's, blobs by their place in the copy:
// 0 is the file's map, then its segments.

import { z } from 'zod';

export const KEEPER_PATH = '/api/keeper';
/** The server holds an answer back so long at most when there is nothing to do. */
export const WAIT_MS_MAX = 25_000;
/** A segment of 16 MiB, sealed. */
export const BLOB_BYTES_MAX = 16 * 1024 * 1024 + 16;

const id = z.int().min(1);
const count = z.int().min(0);

/** To be held from now on: so many blobs, and so many bytes of content. */
const fetched = z.object({ copy: id, blobs: z.int().min(1), bytes: count });
const challenge = z.object({
  copy: id,
  number: count,
  start: count,
  end: count,
  nonce: z.string().regex(/^[0-9a-f]{64}$/),
});

export const workSchema = z.object({
  fetch: z.array(fetched),
  /** To be let go. */
  drop: z.array(id),
  prove: z.array(challenge),
  /** The server lost these and wants them back. */
  give: z.array(z.object({ copy: id, number: count })),
});
export type KeeperWork = z.output<typeof workSchema>;

export const offerSchema = z.object({
  /** That the keeper has room for, with what it holds. */
  bytesMax: count,
  waitMs: count.max(WAIT_MS_MAX),
});
export type KeeperOffer = z.output<typeof offerSchema>;

export const reportSchema = z.object({ state: z.enum(['held', 'lost', 'dropped']) });
export type CopyReport = z.output<typeof reportSchema>['state'];

export const proofSchema = z.object({ proof: z.string().regex(/^[0-9a-f]{64}$/) });

/** The server, as a keeper asks it. Everything may be asked again without harm. */
export interface KeeperLink {
  /** For the folder of what is held for it. */
  readonly name: string;
  work(offer: KeeperOffer, signal: AbortSignal): Promise<KeeperWork>;
  /** Undefined when the server does not give it. */
  blob(copy: number, number: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  give(copy: number, number: number, bytes: Uint8Array): Promise<void>;
  report(copy: number, state: CopyReport): Promise<void>;
  /** Whether the server took it. */
  prove(copy: number, proof: string): Promise<boolean>;
}
