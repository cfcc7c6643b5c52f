// The archive's signed events joined to the other rooms: the keys of the data folder, what the site knows of
// a torrent, and putting one back into its catalogue.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EVENT_KEY_BYTES, EventKey, type EventTorrent } from '#archive/events/event.ts';
import { type EventKeys, EventRelay } from '#archive/events/event-relay.ts';
import type { ReindexWorld } from '#archive/events/reindex.ts';
import type { TorrentWords } from '#archive/events/told-change.ts';
import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import { endInTurns } from '#base/steps.ts';
import type { Log } from '#log/log.ts';
import { listCategories } from '#site/catalogue/categories.ts';
import { findTorrent, findTorrentByHash } from '#site/catalogue/find-torrent.ts';
import { torrentFile } from '#site/catalogue/torrent-file.ts';
import { addTorrent, type CatalogueWorld, removeTorrent } from '#site/catalogue/torrents.ts';
import { Refusal } from '#site/refusal.ts';
import { CONTROL_TOPIC } from '#sql/outbox.ts';
import type { Sql } from '#sql/sql.ts';
import { decodeControl } from '#wire/control-message.ts';
import { METAINFO_BYTES_MAX, parseInSteps } from '#wire/metainfo.ts';
import type { DataFolder } from './data-folder.ts';
import type { Rooms } from './rooms.ts';
import type { StoreRoom } from './store-room.ts';

/** Stands for the operator where a member would be named. */
const OPERATOR = 0;

export interface ArchiveEvents extends Pick<EventRelay, 'flush' | 'run' | 'rotateKey'> {
  /** Of the key that signs now, 32 bytes. */
  readonly publicKey: Uint8Array;
}

export function openEvents(parts: {
  readonly folder: DataFolder;
  readonly sql: Sql;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly store: StoreRoom;
}): ArchiveEvents {
  const { folder, sql, log, clock, random, logger, store } = parts;
  const keys = new KeyFiles(folder, random);
  const relay = new EventRelay({
    ...{ sql, log, clock, keys, logger: logger.for('archive') },
    describe: (torrentId) => wordsOf(sql, torrentId),
    store: async () => (await store.stack()).store,
  });
  return {
    flush: () => relay.flush(),
    run: (signal) => relay.run(signal),
    rotateKey: (isLost) => relay.rotateKey(isLost),
    get publicKey() {
      return keys.current().publicKey;
    },
  };
}

/** `keys/archive-events`, and beside it the one that is about to take its place. */
class KeyFiles implements EventKeys {
  readonly #folder: DataFolder;
  readonly #random: Random;
  #current: EventKey | undefined;

  constructor(folder: DataFolder, random: Random) {
    this.#folder = folder;
    this.#random = random;
  }

  current(): EventKey {
    this.#current ??= new EventKey(this.#folder.secret('archive-events', this.#random));
    return this.#current;
  }

  next(): EventKey | undefined {
    if (!existsSync(this.#nextPath)) return undefined;
    const secret = readFileSync(this.#nextPath);
    // One that was not written to its end was never in force.
    return secret.length === EVENT_KEY_BYTES ? new EventKey(secret) : undefined;
  }

  makeNext(): EventKey {
    const known = this.next();
    if (known !== undefined) return known;
    const secret = this.#random.bytes(EVENT_KEY_BYTES);
    writeFileSync(this.#nextPath, secret, { mode: 0o600, flush: true });
    return new EventKey(secret);
  }

  adoptNext(): void {
    renameSync(this.#nextPath, join(this.#folder.folder('keys'), 'archive-events'));
    this.#current = undefined;
  }

  get #nextPath(): string {
    return join(this.#folder.folder('keys'), 'archive-events-next');
  }
}

async function wordsOf(sql: Sql, torrentId: number): Promise<TorrentWords | undefined> {
  const [torrent, file] = await Promise.all([
    findTorrent(sql, torrentId),
    torrentFile(sql, torrentId),
  ]);
  if (torrent === undefined || file === undefined) return undefined;
  const { infoHash, id, title, description, category, tags } = torrent;
  return { infoHash, id, title, description, category, tags, torrentFile: file };
}

/** What `reindex` needs of a data folder's rooms. */
export async function reindexWorld(rooms: Rooms): Promise<ReindexWorld> {
  const { sql, log, events, archive } = rooms;
  let removed: ReadonlyMap<string, string> | undefined;
  return {
    ...{ sql, log, store: await archive.store(), publicKey: events.publicKey },
    async torrentId(infoHash) {
      return (await findTorrentByHash(sql, infoHash))?.id;
    },
    async restore(torrent, file) {
      removed ??= await removedTorrents(log);
      const restored = await restoreTorrent(rooms, torrent, file);
      const reason = removed.get(torrent.infoHash);
      if ('why' in restored || reason === undefined) return restored;
      const removal = { torrentId: restored.id, removedBy: OPERATOR, reason };
      const again = await removeTorrent(catalogueOf(rooms), removal);
      return again instanceof Refusal ? { why: again.message } : restored;
    },
  };
}

/** What the trackers were told is removed, and why, by the hash that clients show. */
async function removedTorrents(log: Log): Promise<ReadonlyMap<string, string>> {
  const removed = new Map<string, string>();
  for (let from: number | 'beginning' = 'beginning'; ; ) {
    const { records, nextOffset } = await log.read(CONTROL_TOPIC, { from });
    for (const { value } of records) {
      const message = decodeControl(value)?.message;
      if (message?.kind !== 'torrent') continue;
      const hash = message.infoHashV1 ?? message.infoHashV2 ?? '';
      if (message.state === 'removed') removed.set(hash, message.reason);
      else removed.delete(hash);
    }
    if (records.length === 0) return removed;
    from = nextOffset;
  }
}

async function restoreTorrent(
  rooms: Rooms,
  torrent: EventTorrent,
  file: Uint8Array,
): Promise<{ readonly id: number } | { readonly why: string }> {
  const { sql, config } = rooms;
  const parsed = await endInTurns(parseInSteps(file));
  if (!parsed.ok) return { why: parsed.reason };
  const { id: formerId, title, description, tags } = torrent;
  const isKnown = (await listCategories(sql)).some(({ slug }) => slug === torrent.category);
  const result = await addTorrent(
    // The file is that of its swarm; another `source` would be another torrent.
    {
      ...catalogueOf(rooms),
      config: {
        ...config.site,
        torrentBytesMax: METAINFO_BYTES_MAX,
        torrentSource: parsed.metainfo.source ?? '',
      },
    },
    {
      ...{ bytes: file, uploaderId: OPERATOR, isStaff: true, formerId, title, description, tags },
      category: isKnown ? torrent.category : 'other',
    },
  );
  if (result instanceof Refusal) return { why: result.message };
  if (result.kind === 'added') return { id: result.torrent.id };
  return { why: `"${result.existing.title}" has the same ${result.by}` };
}

function catalogueOf(rooms: Rooms): CatalogueWorld {
  const { sql, clock, config } = rooms;
  return { sql, clock, config: config.site, changed: () => rooms.changed() };
}
