// Heals from the swarm: a segment that was lost is part of a torrent, and whoever shares that torrent has
// it. The pieces over it are downloaded and verified; who asked verifies the segment itself.

import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { saveFile } from '#archive/catalogue/kept-torrents.ts';
import type { FileMap } from '#archive/content/file-map.ts';
import { FileWriter, type WrittenFile } from '#archive/content/file-writer.ts';
import { queueChange } from '#archive/events/event-tables.ts';
import type { IntakeWorld } from '#archive/ingest/intake.ts';
import { PiecePlan } from '#archive/ingest/piece-plan.ts';
import { type PeerAddress, SwarmDownload } from '#archive/ingest/swarm-download.ts';
import { bytesEqual } from '#base/bytes.ts';
import type { Timer } from '#base/clock.ts';
import type { Sql } from '#sql/sql.ts';
import type { Healer, LostSegment } from './check-file.ts';

/** For the pieces of one segment; of a whole file, for each. */
const DOWNLOAD_MS_MAX = 60_000;
/** After one that failed, the swarm is left alone for so long. */
const REST_MS = 600_000;
const TORRENTS_MAX = 5;

export type SwarmHealerWorld = Pick<
  IntakeWorld,
  'sql' | 'clock' | 'config' | 'hasher' | 'store' | 'peerId' | 'connect' | 'metainfo' | 'peers'
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
    for (const place of await this.#askable(lost.fileId, signal)) {
      const bytes = await this.#download(place, lost, signal);
      if (bytes !== undefined) return bytes;
      const { clock } = this.#world;
      this.#restUntilMs.set(place.torrentId, clock.monotonicMs() + REST_MS);
    }
    return undefined;
  }

  /** Torrents with this file in whose swarm somebody is. */
  async #askable(fileId: number, signal: AbortSignal | undefined): Promise<readonly Place[]> {
    signal?.throwIfAborted();
    const { clock, peers } = this.#world;
    const places = await this.#placesOf(fileId);
    return places.filter(({ torrentId }) => {
      const isResting = (this.#restUntilMs.get(torrentId) ?? 0) > clock.monotonicMs();
      return !isResting && peers(torrentId).length > 0;
    });
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

  /** All of it, as it came from a swarm; the catalogue knows the map that is made of it. */
  async file(fileId: number, signal: AbortSignal | undefined): Promise<FileMap | undefined> {
    const { sql, clock } = this.#world;
    const row = await sql
      .read<ArchiveTables>()
      .selectFrom('archive_file')
      .select(['root', 'size_bytes', 'map_ref'])
      .where('id', '=', fileId)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    for (const place of await this.#askable(fileId, signal)) {
      const written = await this.#writeAll(place, row.size_bytes, signal);
      if (written?.map === undefined || !bytesEqual(written.map.root, row.root)) {
        this.#restUntilMs.set(place.torrentId, clock.monotonicMs() + REST_MS);
        continue;
      }
      await saveRemade(sql, { fileId, written, formerRef: row.map_ref, nowMs: clock.nowMs() });
      return written.map;
    }
    return undefined;
  }

  async #writeAll(
    place: Place,
    bytes: number,
    signal: AbortSignal | undefined,
  ): Promise<WrittenFile | undefined> {
    const { store, hasher, config } = this.#world;
    const writer = new FileWriter(
      { store: await store(), hasher },
      { bytes, segmentBytes: config.segmentBytes, ...(signal === undefined ? {} : { signal }) },
    );
    try {
      let written = 0;
      for await (const part of this.#parts(place, { start: 0, end: bytes }, signal)) {
        await writer.write(part);
        written += part.length;
      }
      return written === bytes ? await writer.finish() : undefined;
    } finally {
      await writer.abandon();
    }
  }

  async #download(
    place: Place,
    lost: LostSegment,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(lost.end - lost.start);
    let filled = 0;
    for await (const part of this.#parts(place, lost, signal)) {
      bytes.set(part, filled);
      filled += part.length;
    }
    return filled === bytes.length ? bytes : undefined;
  }

  /** The bytes of a range of the file, in order; they end early when the swarm gives no more in time. */
  async *#parts(
    { torrentId, position }: Place,
    range: { readonly start: number; readonly end: number },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const { clock, peerId, connect, metainfo: find } = this.#world;
    const metainfo = await find(torrentId);
    const plan = metainfo && new PiecePlan(metainfo);
    const fileStart = plan?.startOf(position);
    const infoHash = metainfo?.infoHashV1 ?? metainfo?.infoHashV2Truncated;
    if (plan === undefined || fileStart === undefined || infoHash === undefined) return;
    const peers = (): readonly PeerAddress[] => this.#world.peers(torrentId);
    const download = new SwarmDownload({ clock, peerId, connect, peers }, plan, infoHash);
    const late = new AbortController();
    const begin = (): Timer => clock.after(DOWNLOAD_MS_MAX, () => late.abort());
    let timer = begin();
    const stop = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
    const [start, end] = [fileStart + range.start, fileStart + range.end];
    const first = Math.floor(start / plan.pieceLength);
    const count = Math.ceil(end / plan.pieceLength) - first;
    const needed = Array.from({ length: count }, (_, at) => first + at);
    try {
      for await (const { piece, bytes: part } of download.pieces(needed, stop)) {
        timer.cancel();
        timer = begin();
        const at = piece * plan.pieceLength;
        yield part.subarray(Math.max(start, at) - at, Math.min(end, at + part.length) - at);
      }
    } catch (error) {
      if (!late.signal.aborted) throw error;
    } finally {
      timer.cancel();
    }
  }
}

/** A map that is cut otherwise than it was is another blob, which the log's events must name. */
async function saveRemade(
  sql: Sql,
  remade: {
    readonly fileId: number;
    readonly written: WrittenFile;
    readonly formerRef: string;
    readonly nowMs: number;
  },
): Promise<void> {
  const { fileId, written, formerRef, nowMs } = remade;
  await sql.transaction<ArchiveTables, void>(async (transaction) => {
    await saveFile(transaction, written, nowMs);
    if (written.mapRef === formerRef) return;
    const rows = await transaction
      .selectFrom('archive_entry')
      .select('torrent_id')
      .distinct()
      .where('file_id', '=', fileId)
      .execute();
    for (const { torrent_id: torrentId } of rows) {
      await queueChange(transaction, { kind: 'keep', torrentId, nowMs });
    }
  });
}
