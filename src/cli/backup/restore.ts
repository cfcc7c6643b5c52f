// Makes a data folder of a backup. Everything happens in a folder beside it, `<data>.restoring`, which
// gets the name when all of it is there and was verified: there is the whole or nothing, whatever ends
// the process. What an earlier restore left there is removed first.
//
// The log goes on in a new epoch (log/backup/restored-log.ts), and the positions in the database and the
// snapshots of the baselines with it. The trackers' own snapshots are not in a backup: they are made anew
// from the topic `control`.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { audit } from '#accounting/audit/audit.ts';
import { enterBaselineEpoch } from '#accounting/baselines/baseline-epoch.ts';
import { snapshotNumber } from '#accounting/baselines/baseline-opening.ts';
import { SystemClock } from '#base/clock.ts';
import { type Disk, SystemDisk } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import { SystemRandom } from '#base/random.ts';
import type { Options } from '#cli/command.ts';
import { configFor } from '#cli/config-for.ts';
import { DataFolder } from '#cli/data-folder.ts';
import { CliError } from '#cli/errors.ts';
import { MIGRATIONS } from '#cli/migrations.ts';
import { pinoLogger } from '#cli/pino-logger.ts';
import { StoreRoom } from '#cli/store-room.ts';
import type { Config } from '#config/schema.ts';
import { finishRestoredLog, restoredEpoch } from '#log/backup/restored-log.ts';
import { LocalLog } from '#log/local-log.ts';
import { verifyLog } from '#log/repair/verify.ts';
import { Registry } from '#metrics/registry.ts';
import { migrationStatus } from '#sql/migrate.ts';
import { openSql, SQLITE_FILE } from '#sql/open.ts';
import { enterEpoch } from '#sql/sqlite-copy.ts';
import type { BackupSet, KnownBackup } from '#store/backup/backup-set.ts';
import type { IndexedFile } from '#store/backup/manifest.ts';
import { throwIfCancelled } from '#store/calls.ts';
import { copiedContent, newSums } from './content.ts';
import { fillPostgres } from './postgres-restore.ts';

/** Says that the folder is a restore's, to be removed by the next one. */
const MARKER = 'restoring';

export interface RestoreOptions {
  readonly options: Options;
  readonly backups: BackupSet;
  readonly backup: KnownBackup;
  readonly signal: AbortSignal;
  readonly progress: (what: string, done: number, total: number) => void;
}

export interface Restored {
  readonly data: string;
  readonly epoch: number;
  readonly records: number;
  readonly blobs: number;
  /** What the ledger's audit and the log's verification found, which the server had already. */
  readonly findings: readonly string[];
}

/** @throws CliError CLI_REFUSED when the folder is not empty; whatever was wrong: nothing is there then */
export async function restore(work: RestoreOptions): Promise<Restored> {
  const target = resolve(work.options.data);
  refuseUsed(target);
  const folder = `${target}.restoring`;
  if (existsSync(folder)) {
    if (!existsSync(join(folder, MARKER)) && readdirSync(folder).length > 0) {
      throw new CliError('CLI_REFUSED', `Cannot use "${folder}": it is not of a restore`);
    }
    // Of one that was killed; of one that still runs, its lock refuses.
    DataFolder.take(folder).release();
    rmSync(folder, { recursive: true });
  }
  mkdirSync(dirname(folder), { recursive: true });
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, MARKER), 'Removed by the next restore.\n', { flush: true });
  const lock = DataFolder.take(folder);
  try {
    const restored = await new Restore(work, folder, target).run();
    throwIfCancelled(work.signal);
    rmSync(join(folder, MARKER));
    lock.release();
    await syncAll(new SystemDisk(), folder);
    renameSync(folder, target);
    await new SystemDisk().syncFolder(dirname(target));
    return restored;
  } catch (error) {
    lock.release();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** It is made beside the target and given its name, which neither a link nor a mounted disk can take. */
function refuseUsed(target: string): void {
  const found = lstatSync(target, { throwIfNoEntry: false });
  if (found?.isSymbolicLink() === true) {
    const words = `"${target}" is a link: name the folder itself`;
    throw new CliError('CLI_REFUSED', `Cannot restore to ${words}`);
  }
  if (found !== undefined && found.dev !== statSync(dirname(target)).dev) {
    const words = `"${target}" is a disk of its own: name a folder on it, as "${join(target, 'data')}"`;
    throw new CliError('CLI_REFUSED', `Cannot restore to ${words}`);
  }
  let names: string[];
  try {
    names = readdirSync(target);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw new CliError('CLI_REFUSED', `Cannot restore to "${target}"`, { cause: error });
  }
  if (names.length === 0) return;
  throw new CliError(
    'CLI_REFUSED',
    `Cannot restore to "${target}": it is not empty; name another folder with --data, or move this one away`,
  );
}

class Restore {
  readonly #work: RestoreOptions;
  readonly #folder: string;
  readonly #target: string;
  readonly #disk: Disk = new SystemDisk();
  readonly #clock = new SystemClock();

  constructor(work: RestoreOptions, folder: string, target: string) {
    this.#work = work;
    this.#folder = folder;
    this.#target = target;
  }

  async run(): Promise<Restored> {
    const { backups, backup, signal, options } = this.#work;
    const files = await backups.files(backup.manifest, { signal });
    await this.#files(files);
    // The settings of the backup, unless others are named.
    const config = configFor({ ...options, data: this.#folder });
    const epoch = await this.#log(backup);
    await this.#sql(backup, config, { files, epoch });
    const findings: string[] = [];
    const blobs = await this.#content(backup, config, findings);
    const verified = await this.#verify(backup, config);
    findings.push(...verified.findings);
    return { data: this.#target, epoch, records: verified.records, blobs, findings };
  }

  async #files(files: readonly IndexedFile[]): Promise<void> {
    const { backups, signal, progress, backup } = this.#work;
    let done = 0;
    for (const { path, bytes, chunks } of files) {
      const to = join(this.#folder, path);
      await this.#disk.makeFolder(dirname(to));
      const file = await this.#disk.create(to);
      try {
        let position = 0;
        for (const ref of chunks) {
          const chunk = await backups.blobs.get(ref, { signal });
          await file.write(chunk, position);
          position += chunk.byteLength;
          done += chunk.byteLength;
          progress('bytes of database and log', done, backup.manifest.bytes);
        }
        if (position !== bytes) {
          throw new CliError('CLI_REFUSED', `"${path}" has ${position} bytes, expected ${bytes}`);
        }
        await file.datasync();
      } finally {
        await file.close();
      }
    }
  }

  async #log({ manifest }: KnownBackup): Promise<number> {
    const { id, epoch: before, topics } = manifest.log;
    const epoch = restoredEpoch(before, this.#clock.nowMs());
    const folder = join(this.#folder, 'log');
    await this.#disk.makeFolder(folder);
    await finishRestoredLog({ disk: this.#disk, folder, id, epoch, topics });
    const baselines = join(this.#folder, 'baselines');
    for (const name of existsSync(baselines) ? readdirSync(baselines) : []) {
      if (snapshotNumber(name) === undefined) continue;
      await enterBaselineEpoch(this.#disk, join(baselines, name), { logId: id, before, epoch });
    }
    return epoch;
  }

  async #sql(
    { manifest }: KnownBackup,
    config: Config,
    made: { readonly files: readonly IndexedFile[]; readonly epoch: number },
  ): Promise<void> {
    const to = { logId: manifest.log.id, before: manifest.log.epoch, epoch: made.epoch };
    if (manifest.sql === 'sqlite') {
      if (config.sql.url !== '') {
        const words = 'The backup is of an SQLite database, but sql.url names a server';
        throw new CliError('CLI_REFUSED', `${words}; add --set sql.url=""`);
      }
      enterEpoch(join(this.#folder, 'sql', SQLITE_FILE), to);
      return;
    }
    if (config.sql.url === '') {
      const words = 'The backup is of a PostgreSQL database';
      throw new CliError(
        'CLI_REFUSED',
        `${words}; name an empty one with --set sql.url=postgres://…`,
      );
    }
    const folder = join(this.#folder, 'sql', 'rows');
    const tables = made.files.flatMap(({ path }) =>
      path.startsWith('sql/rows/') ? [basename(path)] : [],
    );
    await fillPostgres({ config, folder, tables, clock: this.#clock, to });
    rmSync(folder, { recursive: true });
  }

  /**
   * Into the store that the settings name, which may have some of them already. A blob that the place can
   * give no more is a finding: database, log and all others are worth having without it.
   */
  async #content({ manifest }: KnownBackup, config: Config, findings: string[]): Promise<number> {
    const { backups, signal, progress } = this.#work;
    if (manifest.content.blobs === 0) return 0;
    const room = this.#room(config);
    try {
      const { store } = await room.stack();
      const sums = newSums();
      const work = { from: backups.blobs, to: store, signal, clock: this.#clock };
      let blobs = 0;
      const infos = backups.content(manifest, { signal });
      for await (const _ of copiedContent(infos, work, sums)) {
        blobs++;
        progress('blobs of the store', blobs, manifest.content.blobs);
      }
      for (const { ref, code } of sums.failed) findings.push(`${ref} cannot be restored: ${code}`);
      const others = manifest.content.blobs - blobs - sums.failed.length;
      if (others > 0) {
        findings.push(`${others} more blobs of the store are no longer in the backup's place`);
      }
      return blobs;
    } finally {
      await room.close();
    }
  }

  #room(config: Config): StoreRoom {
    return new StoreRoom({
      ...{ folder: join(this.#folder, 'store'), config, clock: this.#clock },
      ...{ random: new SystemRandom(), logger: pinoLogger('warn').for('store') },
      metrics: new Registry(),
    });
  }

  /** What a server would meet when it starts. */
  async #verify(
    { manifest }: KnownBackup,
    config: Config,
  ): Promise<{ readonly records: number; readonly findings: string[] }> {
    const { signal, progress } = this.#work;
    const folder = join(this.#folder, 'log');
    const findings: string[] = [];
    let read = 0;
    const verified = await verifyLog({
      ...{ disk: this.#disk, folder, signal },
      onProgress: (_topic, bytes) => {
        read += bytes;
        progress('bytes of the log verified', read, 0);
      },
    });
    for (const { topic, severity, place, message } of verified.findings) {
      if (severity === 'damage') findings.push(`${topic}/${place}: ${message}`);
    }
    const log = await this.#openLog(config);
    try {
      for (const { name, nextOffset } of manifest.log.topics) {
        const found = (await log.stats(name)).nextOffset;
        if (found === nextOffset) continue;
        const words = `The topic "${name}" ends at ${found}, expected ${nextOffset}`;
        throw new CliError('CLI_REFUSED', words);
      }
      const records = await this.#audit(log, config, findings);
      return { records, findings };
    } finally {
      await log.close();
    }
  }

  #openLog(config: Config): Promise<LocalLog> {
    return LocalLog.open({
      ...{ disk: this.#disk, folder: join(this.#folder, 'log'), clock: this.#clock },
      ...{ random: new SystemRandom(), logger: pinoLogger('error'), metrics: new Registry() },
      // Nothing of the log goes while it is looked at.
      config: { ...config.log, retentionEveryMs: 86_400_000 },
      onFatal: (error) => {
        throw error;
      },
    });
  }

  async #audit(log: LocalLog, config: Config, findings: string[]): Promise<number> {
    const { signal, progress } = this.#work;
    const sql = await openSql({
      ...{ url: config.sql.url, folder: join(this.#folder, 'sql'), config: config.sql },
      ...{ clock: this.#clock, threads: false },
    });
    try {
      await migrationStatus(sql, MIGRATIONS);
      const { records, differences } = await audit({
        ...{ log, sql, signal },
        progress: (done, total) => progress('records audited', done, total),
      });
      findings.push(...differences);
      return records;
    } finally {
      await sql.close();
    }
  }
}

/** Names of files are on disk once their folders are synced. */
async function syncAll(disk: Disk, folder: string): Promise<void> {
  for (const name of await disk.list(folder)) {
    const path = join(folder, name);
    if ((await disk.stat(path))?.isFolder === true) await syncAll(disk, path);
  }
  await disk.syncFolder(folder);
}
