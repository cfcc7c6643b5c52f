// Makes one backup of a data folder, while a server works on it or not. What is taken when decides what
// the parts know of each other:
//
//   1  settings and keys
//   2  snapshots of the baselines: none is beyond the end of the log that is taken after them
//   3  the database, as it is at one moment
//   4  the log's topics up to what is on disk then, so that no position in the database is beyond its
//      topic; `control` only up to where the outbox of that database had come: what was relayed later
//      tells of members and torrents that the database of the backup does not know
//   5  the store's blobs: whatever the database names was put before. What the rooms refer to and the store
//      does not have makes the backup an incomplete one
//   6  index and manifest, which makes all of it a backup
//
// A crash anywhere leaves blobs that the next backup finds there already.

import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { snapshotNumber } from '#accounting/baselines/baseline-opening.ts';
import { LEDGER } from '#accounting/ledger/ledger-tables.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { fromHex, toHex } from '#base/bytes.ts';
import { type Disk, SystemDisk } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { CliError } from '#cli/errors.ts';
import type { Rooms } from '#cli/rooms.ts';
import { VERSION } from '#cli/version.ts';
import { copyTopic, type TopicCopy } from '#log/backup/topic-copy.ts';
import type { CopiedPosition } from '#sql/consumer-position.ts';
import { SQLITE_FILE } from '#sql/open.ts';
import { CONTROL_TOPIC } from '#sql/outbox.ts';
import { copySqlite, positionsOf } from '#sql/sqlite-copy.ts';
import type { BackupSet, KnownBackup } from '#store/backup/backup-set.ts';
import {
  type BackupFile,
  BackupWriter,
  FileChanged,
  type WrittenCounts,
} from '#store/backup/backup-writer.ts';
import { throwIfCancelled } from '#store/calls.ts';
import { lostRoots } from '#store/gc/lost-roots.ts';
import { HashTable } from '#store/packed/hash-table.ts';
import { type BlobInfo, walkStore } from '#store/store.ts';
import { type ContentSums, copiedContent, newSums, noteFailed } from './content.ts';
import { exportPostgres } from './postgres-files.ts';

export const WORK_FOLDER = 'backup-work';
export const OUTBOX_CONSUMER = 'outbox';
/** A file that goes while it is read is looked for again so often. */
const TRIES_MAX = 5;
const PAGE = 500;

/** What a backup is made of. */
export type BackedUpRooms = Pick<Rooms, 'dataPath' | 'log' | 'sql' | 'clock' | 'store' | 'care'>;

export interface BackUpOptions {
  readonly backups: BackupSet;
  /** The place is the server's own store: its blobs are named, not copied. */
  readonly isCurrent: boolean;
  readonly signal: AbortSignal;
  readonly progress: (what: string, done: number, total: number) => void;
}

export interface MadeBackup extends WrittenCounts {
  readonly backup: KnownBackup;
  /** Blobs that are needed or were listed, and that are not in it; the first thousand. */
  readonly failed: ContentSums['failed'];
  /** Rooms that could not tell all that they need, and why. */
  readonly unread: readonly { readonly source: string; readonly why: string }[];
}

/** @throws StoreError, LogError, SqlError, the disk's errors, CliError CLI_REFUSED */
export async function backUp(rooms: BackedUpRooms, options: BackUpOptions): Promise<MadeBackup> {
  const work = join(rooms.dataPath, WORK_FOLDER);
  // What a backup that was killed has left there; nobody else works there, the folder is ours.
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { mode: 0o700 });
  try {
    return await new BackUp(rooms, options, work).run();
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

class BackUp {
  readonly #rooms: BackedUpRooms;
  readonly #options: BackUpOptions;
  readonly #work: string;
  readonly #disk: Disk = new SystemDisk();
  #doneBytes = 0;

  constructor(rooms: BackedUpRooms, options: BackUpOptions, work: string) {
    this.#rooms = rooms;
    this.#options = options;
    this.#work = work;
  }

  async run(): Promise<MadeBackup> {
    const { log, sql, clock } = this.#rooms;
    const { backups, signal, isCurrent } = this.#options;
    const newest = (await backups.list({ signal })).find((one) => one.manifest.log.id === log.id);
    // After those before it, also of a clock that was set back: the newest is what `--keep` keeps and what
    // a restore takes.
    const madeMs = Math.max(clock.nowMs(), (newest?.manifest.madeMs ?? -1) + 1);
    const earlier = newest === undefined ? [] : await backups.files(newest.manifest, { signal });
    const writer = new BackupWriter(backups.blobs, earlier, { signal });
    await this.#folder(writer, '', (name) => name === 'swarmkeep.toml');
    await this.#folder(writer, 'keys', (name) => /^[a-z-]+$/.test(name));
    await this.#again(writer, 'baselines/', () =>
      this.#folder(writer, 'baselines', (name) => snapshotNumber(name) !== undefined),
    );
    const positions =
      sql.dialect === 'sqlite' ? await this.#sqlite(writer) : await this.#postgres(writer);
    const topics = await this.#log(writer, positions);
    await this.#refuseAhead(positions, topics);
    const sums = newSums();
    const content = await writer.content(isCurrent ? this.#named(sums) : this.#copyContent(sums));
    throwIfCancelled(signal);
    const unread = await this.#compare(sums);
    const lacking = sums.failedCount + unread.length;
    const index = await writer.index();
    const { files, bytes, newBlobs, newBytes } = writer.counts;
    const manifest = {
      ...{ madeMs, program: VERSION, sql: sql.dialect, index, files, bytes },
      log: { id: log.id, epoch: log.epoch, topics },
      content: { ...content, isCopied: !isCurrent, ...(lacking > 0 && { lacking }) },
    };
    const ref = await backups.add(manifest, { signal });
    return {
      backup: { ref, manifest },
      ...{ files, bytes },
      newBlobs: newBlobs + sums.copied,
      newBytes: newBytes + sums.copiedBytes,
      failed: sums.failed,
      unread,
    };
  }

  /** Files of a folder of the data folder that never change under their names. */
  async #folder(
    writer: BackupWriter,
    folder: string,
    isWanted: (name: string) => boolean,
  ): Promise<void> {
    const path = join(this.#rooms.dataPath, folder);
    if (!existsSync(path)) return;
    for (const name of (await this.#disk.list(path)).filter(isWanted)) {
      await this.#file(writer, await this.#onDisk(folder === '' ? name : `${folder}/${name}`));
    }
  }

  async #onDisk(path: string, from = join(this.#rooms.dataPath, path)): Promise<BackupFile> {
    const found = await this.#disk.stat(from);
    const bytes = found?.sizeBytes ?? 0;
    return { path, bytes, cut: 'log', open: () => this.#disk.open(from, { write: false }) };
  }

  async #file(writer: BackupWriter, file: BackupFile): Promise<void> {
    const before = this.#doneBytes;
    await writer.file(file, (bytes) => {
      this.#doneBytes += bytes;
      this.#options.progress('bytes of database and log', this.#doneBytes, 0);
    });
    this.#doneBytes = before + file.bytes;
  }

  async #sqlite(writer: BackupWriter): Promise<CopiedPosition[]> {
    const copy = join(this.#work, SQLITE_FILE);
    await copySqlite(join(this.#rooms.dataPath, 'sql', SQLITE_FILE), copy);
    throwIfCancelled(this.#options.signal);
    await this.#file(writer, { ...(await this.#onDisk(`sql/${SQLITE_FILE}`, copy)), cut: 'page' });
    return positionsOf(copy);
  }

  async #postgres(writer: BackupWriter): Promise<CopiedPosition[]> {
    const { names, positions } = await exportPostgres(this.#rooms.sql, {
      folder: this.#work,
      signal: this.#options.signal,
    });
    for (const name of names) {
      const file = await this.#onDisk(`sql/rows/${name}`, join(this.#work, name));
      await this.#file(writer, { ...file, cut: 'page' });
    }
    return positions;
  }

  async #log(
    writer: BackupWriter,
    positions: readonly CopiedPosition[],
  ): Promise<{ readonly name: string; readonly nextOffset: number }[]> {
    const { dataPath, log } = this.#rooms;
    const outbox = positions.find(
      (one) => one.consumer === OUTBOX_CONSUMER && one.logId === log.id && one.epoch === log.epoch,
    );
    const topics: { name: string; nextOffset: number }[] = [];
    for (const { name } of await log.topics()) {
      const world = { disk: this.#disk, folder: join(dataPath, 'log'), log };
      const endsAt = name === CONTROL_TOPIC ? outbox?.nextOffset : undefined;
      const copy = await this.#again(writer, `log/${name}/`, async () => {
        const found = await copyTopic(world, name, endsAt);
        await this.#topic(writer, found);
        return found;
      });
      topics.push({ name, nextOffset: copy.nextOffset });
    }
    return topics;
  }

  async #topic(writer: BackupWriter, { files }: TopicCopy): Promise<void> {
    for (const file of files) {
      await this.#file(writer, { ...file, path: `log/${file.path}`, cut: 'log' });
    }
  }

  /** Retention and compaction give names up and away: then what was found is looked for anew. */
  async #again<Result>(
    writer: BackupWriter,
    folder: string,
    run: () => Promise<Result>,
  ): Promise<Result> {
    for (let tries = 1; ; tries++) {
      try {
        return await run();
      } catch (error) {
        throwIfCancelled(this.#options.signal);
        const isGone = error instanceof FileChanged || codeOf(error) === 'ENOENT';
        if (!isGone || tries === TRIES_MAX) throw error;
        writer.forget(folder);
      }
    }
  }

  /** Asserts what the order above promises, before anything is called a backup. */
  async #refuseAhead(
    positions: readonly CopiedPosition[],
    topics: readonly { readonly name: string; readonly nextOffset: number }[],
  ): Promise<void> {
    const { log } = this.#rooms;
    const end = topics.find(({ name }) => name === TRANSFERS_TOPIC)?.nextOffset ?? 0;
    for (const one of positions) {
      if (one.consumer !== LEDGER.consumer || one.logId !== log.id) continue;
      if (one.epoch !== log.epoch || one.nextOffset <= end) continue;
      throw new CliError(
        'CLI_REFUSED',
        `Cannot back up: the ledger has counted to ${one.nextOffset}, but the log on disk ends at ${end}`,
      );
    }
  }

  /**
   * In the own store a backup names what the rooms refer to, and nothing else: what it named would stay,
   * garbage as well. Asking for it gives it a day more, if it was about to go (store/gc/roots.ts).
   */
  async *#named(sums: ContentSums): AsyncGenerator<BlobInfo> {
    const { signal, isCurrent } = this.#options;
    const { store } = await this.#rooms.store.stack();
    const names = new HashTable(0);
    for (const source of this.#rooms.care.contentRoots()) {
      for await (const ref of source.refs(signal)) names.claim(hashOf(ref));
    }
    for (let after: Uint8Array | undefined; ; ) {
      const page = names.page(after, PAGE);
      after = page.at(-1)?.hash;
      if (after === undefined) return;
      const refs = page.map(({ hash }) => refOfHash(hash));
      const there = new Map((await store.stat(refs, { signal })).map((info) => [info.ref, info]));
      for (const ref of refs) {
        const info = there.get(ref);
        // Copied to elsewhere its copy says so.
        if (isCurrent && store.isKnownCorrupt(ref))
          noteFailed(sums, { ref, code: 'STORE_CORRUPT_BLOB' });
        if (info !== undefined) yield info;
        else noteFailed(sums, { ref, code: 'STORE_BLOB_MISSING' });
      }
    }
  }

  /**
   * A copy of all that is in the store says nothing of what should be there: a disk that is not mounted has
   * nothing to copy.
   */
  async #compare(sums: ContentSums): Promise<MadeBackup['unread']> {
    const { signal, isCurrent } = this.#options;
    if (isCurrent) return [];
    const { store } = await this.#rooms.store.stack();
    const known = new Set(sums.failed.map(({ ref }) => ref));
    const sources = this.#rooms.care.contentRoots();
    const { missing, missingCount, unread } = await lostRoots(store, sources, { signal });
    const failed = missing.filter(({ ref }) => !known.has(ref));
    for (const { ref } of failed) noteFailed(sums, { ref, code: 'STORE_BLOB_MISSING' });
    sums.failedCount += missingCount - missing.length;
    return unread;
  }

  /** All that the store holds, but for the backups in it. */
  async *#everything(): AsyncGenerator<BlobInfo> {
    const { signal } = this.#options;
    const { store } = await this.#rooms.store.stack();
    const own = await (await this.#rooms.store.backups()).ownRefs({ signal });
    // The same bytes may be kept by hand as well.
    if (own.size > 0) for await (const ref of this.#rooms.care.pins.refs(signal)) own.delete(ref);
    for await (const info of walkStore(store, { signal })) if (!own.has(info.ref)) yield info;
  }

  async *#copyContent(sums: ContentSums): AsyncGenerator<BlobInfo> {
    const { store } = await this.#rooms.store.stack();
    const { backups, signal, progress } = this.#options;
    const total = (await store.stats()).blobs;
    const work = { from: store, to: backups.blobs, signal, clock: this.#rooms.clock };
    for await (const info of copiedContent(this.#everything(), work, sums)) {
      progress('blobs of the store', sums.seen, total);
      yield info;
    }
  }
}

function hashOf(ref: BlobRef): Uint8Array {
  return fromHex(ref.slice('sha256-'.length)) as Uint8Array;
}

function refOfHash(hash: Uint8Array): BlobRef {
  return blobRef(`sha256-${toHex(hash)}`) as BlobRef;
}
