// Heals from the swarm: a segment that was lost is part of a torrent, and whoever shares that torrent has
// it. The pieces over it are downloaded and verified; who asked verifies the segment itself.

import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import type { IntakeWorld } from '#archive/ingest/intake.ts';
import { PiecePlan } from '#archive/ingest/piece-plan.ts';
import { type PeerAddress, SwarmDownload } from '#archive/ingest/swarm-download.ts';
import type { Healer, LostSegment } from './check-file.ts';

/** For the pieces of one segment. */
const DOWNLOAD_MS_MAX = 60_000;
/** After one that failed, the swarm is left alone for so long. */
const REST_MS = 600_000;
const TORRENTS_MAX = 5;

export type SwarmHealerWorld = Pick<
  IntakeWorld,
  'sql' | 'clock' | 'peerId' | 'connect' | 'metainfo' | 'peers'
>;

interface Place {
  readonly torrentId: number;
  readonly position: number;
}

export class SwarmHealer implements Healer {
  readonly name = 'swarm';
  readonly #world: SwarmHealerWorld;
  readonly #restUntilMs = new Map<number, number>();

  constructor(world: SwarmHealerWorld) {
    this.#world = world;
  }

  /** From the first torrent with this file whose swarm gives it in time. */
  async segment(
    lost: LostSegment,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | undefined> {
    // Clients have the file, not its map.
    if (lost.segment < 0) return undefined;
    for (const place of await this.#placesOf(lost.fileId)) {
      signal?.throwIfAborted();
      const { clock, peers } = this.#world;
      const isResting = (this.#restUntilMs.get(place.torrentId) ?? 0) > clock.monotonicMs();
      if (isResting || peers(place.torrentId).length === 0) continue;
      const bytes = await this.#download(place, lost, signal);
      if (bytes !== undefined) return bytes;
      this.#restUntilMs.set(place.torrentId, clock.monotonicMs() + REST_MS);
    }
    return undefined;
  }

  async #placesOf(fileId: number): Promise<readonly Place[]> {
    const rows = await this.#world.sql
      .read<ArchiveTables>()
      .selectFrom('archive_entry')
      .select(['torrent_id', 'position'])
      .where('file_id', '=', fileId)
      .orderBy('torrent_id', 'desc')
      .limit(TORRENTS_MAX)
      .execute();
    return rows.map(({ torrent_id: torrentId, position }) => ({ torrentId, position }));
  }

  async #download(
    { torrentId, position }: Place,
    lost: LostSegment,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | undefined> {
    const { clock, peerId, connect, metainfo: find } = this.#world;
    const metainfo = await find(torrentId);
    const plan = metainfo && new PiecePlan(metainfo);
    const fileStart = plan?.startOf(position);
    const infoHash = metainfo?.infoHashV1 ?? metainfo?.infoHashV2Truncated;
    if (plan === undefined || fileStart === undefined || infoHash === undefined) return undefined;
    const peers = (): readonly PeerAddress[] => this.#world.peers(torrentId);
    const download = new SwarmDownload({ clock, peerId, connect, peers }, plan, infoHash);
    const late = new AbortController();
    const timer = clock.after(DOWNLOAD_MS_MAX, () => late.abort());
    const stop = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
    const [start, end] = [fileStart + lost.start, fileStart + lost.end];
    const first = Math.floor(start / plan.pieceLength);
    const count = Math.ceil(end / plan.pieceLength) - first;
    const needed = Array.from({ length: count }, (_, at) => first + at);
    const bytes = new Uint8Array(end - start);
    try {
      for await (const { piece, bytes: part } of download.pieces(needed, stop)) {
        const at = piece * plan.pieceLength;
        const from = Math.max(start, at);
        bytes.set(part.subarray(from - at, Math.min(end, at + part.length) - at), from - start);
      }
      return bytes;
    } catch (error) {
      if (late.signal.aborted) return undefined;
      throw error;
    } finally {
      timer.cancel();
    }
  }
}
