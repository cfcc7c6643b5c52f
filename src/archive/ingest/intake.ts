// What brings wanted torrents in: looks for them now and then, downloads a few at once from their swarms
// and, when all of one is stored, keeps it. What a restart interrupts goes on with the file it was at.

import type { ArchiveWorld } from '#archive/archive.ts';
import { keepTaken, setProblem, wantedTorrents } from '#archive/catalogue/wanted-torrents.ts';
import { webSourcesOf } from '#archive/catalogue/web-sources.ts';
import type { PeerWire } from '#archive/peer/peer-wire.ts';
import { assert } from '#base/assert.ts';
import { type Clock, sleep } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { HttpClient } from '#net/http-client.ts';
import type { ConnectTcp } from '#net/tcp-connect.ts';
import type { Metainfo } from '#wire/metainfo.ts';
import { PiecePlan } from './piece-plan.ts';
import { type PeerAddress, type PieceSource, SwarmDownload } from './swarm-download.ts';
import { takeTorrent } from './take-torrent.ts';
import { WebSource } from './web-source.ts';

const LOOK_MS = 2000;
const RETRY_MS = 60_000;

export interface IntakeWorld extends ArchiveWorld {
  readonly clock: Clock;
  /** 20 bytes, by which peers know the archive. */
  readonly peerId: Uint8Array;
  readonly logger: Logger;
  readonly connect: ConnectTcp;
  /** For web seeds of others, whose addresses members give. Closed at the end. */
  readonly http: HttpClient;
  /** Undefined when it is not in the catalogue any more. */
  readonly metainfo: (torrentId: number) => Promise<Metainfo | undefined>;
  /** Who is in its swarm now. */
  readonly peers: (torrentId: number) => readonly PeerAddress[];
}

/** How far a torrent is that is being taken. */
export interface IntakeProgress {
  readonly bytes: number;
  readonly total: number;
  /** Connected now. */
  readonly peers: number;
}

interface Running {
  bytes: number;
  readonly total: number;
  readonly download: SwarmDownload;
  /** Web seeds that are asked already. */
  readonly urls: Set<string>;
  readonly source: (url: string) => PieceSource;
}

export class Intake {
  readonly #world: IntakeWorld;
  readonly #running = new Map<number, Running>();
  readonly #busy = new Map<number, Promise<void>>();
  readonly #restUntilMs = new Map<number, number>();

  constructor(world: IntakeWorld) {
    this.#world = world;
  }

  /** Undefined when it is not being taken now. */
  progress(torrentId: number): IntakeProgress | undefined {
    const running = this.#running.get(torrentId);
    if (running === undefined) return undefined;
    const { bytes, total, download } = running;
    return { bytes, total, peers: download.peers };
  }

  /** Torrents that are being taken now. */
  taking(): readonly number[] {
    return [...this.#running.keys()];
  }

  /** As `SwarmDownload.adopt`; false also when the torrent is not being taken. */
  adopt(torrentId: number, wire: PeerWire, address: string): boolean {
    return this.#running.get(torrentId)?.download.adopt(wire, address) ?? false;
  }

  /** Until the signal aborts; then resolves when what runs has let go. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#world;
    while (!signal.aborted) {
      try {
        await this.#startWanted(signal);
        await this.#addSources();
      } catch (error) {
        logger.warn('Wanted torrents could not be looked for', { error: messageOf(error) });
      }
      await sleep(clock, LOOK_MS, signal).catch(() => undefined);
    }
    await Promise.all(this.#busy.values());
    this.#world.http.close();
  }

  async #startWanted(signal: AbortSignal): Promise<void> {
    const { sql, config, clock } = this.#world;
    const max = config.takenAtOnceMax;
    const wanted = await wantedTorrents(sql, max + this.#busy.size + this.#restUntilMs.size);
    for (const { torrentId } of wanted) {
      if (this.#busy.size >= max) return;
      const isResting = (this.#restUntilMs.get(torrentId) ?? 0) > clock.monotonicMs();
      if (this.#busy.has(torrentId) || isResting) continue;
      const work = this.#take(torrentId, signal).finally(() => this.#busy.delete(torrentId));
      this.#busy.set(torrentId, work);
    }
  }

  /** They may be given while a torrent is being taken. */
  async #addSources(): Promise<void> {
    for (const [torrentId, { urls, download, source }] of this.#running) {
      for (const url of await webSourcesOf(this.#world.sql, torrentId)) {
        if (urls.has(url)) continue;
        urls.add(url);
        download.addSource(source(url));
      }
    }
  }

  /** Never rejects. */
  async #take(torrentId: number, signal: AbortSignal): Promise<void> {
    const { sql, clock, logger } = this.#world;
    try {
      const problem = await this.#takeAll(torrentId, signal);
      if (problem !== undefined) await setProblem(sql, torrentId, problem);
      this.#restUntilMs.delete(torrentId);
    } catch (error) {
      if (signal.aborted) return;
      const code = codeOf(error) ?? '';
      logger.warn('A wanted torrent could not be taken; it is tried again', {
        ...{ torrentId, code, error: messageOf(error) },
      });
      this.#restUntilMs.set(torrentId, clock.monotonicMs() + RETRY_MS);
    } finally {
      this.#running.delete(torrentId);
    }
  }

  /** Why it can never be taken, in a sentence; undefined when it was. */
  async #takeAll(torrentId: number, signal: AbortSignal): Promise<string | undefined> {
    const world = this.#world;
    const metainfo = await world.metainfo(torrentId);
    if (metainfo === undefined) return 'It is not in the catalogue any more.';
    const plan = new PiecePlan(metainfo);
    const infoHash = metainfo.infoHashV1 ?? metainfo.infoHashV2Truncated;
    assert(infoHash !== undefined, 'a torrent has a hash');
    const { clock, peerId, connect, sql, config, hasher } = world;
    const peers = (): readonly PeerAddress[] => world.peers(torrentId);
    const download = new SwarmDownload({ clock, peerId, connect, peers }, plan, infoHash);
    const source = (url: string): WebSource =>
      new WebSource(world.http, url, { ...metainfo, plan });
    const urls = new Set<string>();
    const running: Running = { bytes: 0, total: plan.streamBytes, download, urls, source };
    this.#running.set(torrentId, running);
    await takeTorrent(
      { sql, clock, config, hasher, store: await world.store() },
      {
        ...{ torrentId, plan, signal },
        pieces: (needed, stop) => {
          running.bytes =
            plan.streamBytes - needed.reduce((sum, at) => sum + plan.pieceBytes(at), 0);
          return download.pieces(needed, stop);
        },
        onBytes: (bytes) => {
          running.bytes += bytes;
        },
      },
    );
    const files = plan.fileBytes.length;
    await keepTaken(sql, { id: torrentId, files, nowMs: clock.nowMs() });
    world.logger.info('A wanted torrent was taken into the archive', { torrentId, files });
    return undefined;
  }
}
