// Puts the folders of `archive.putFolders` on a timetable. A folder is looked at by names, sizes and times;
// when they are not what they were at the last put, and nothing has changed for a while, all of it becomes a
// torrent. A run that is killed leaves blobs that the next one finds in the store.
//
// One folder that cannot be put keeps none of the others from it: its reason is told when all were tried.

import { createHash } from 'node:crypto';
import { putFolderOf } from '#archive/ingest/put-folder.ts';
import { assert } from '#base/assert.ts';
import { CodedError } from '#base/errors.ts';
import type { Job, JobContext, JobResult } from '#base/job.ts';
import type { ContentFolder } from '#cli/content-folder.ts';
import { CliError } from '#cli/errors.ts';
import type { PutRooms } from './put-torrent.ts';

const TIME_LIMIT_MS = 7 * 24 * 3_600_000;
const PROGRESS_BYTES = 64 * 1024 * 1024;

/** None while no folder is named. */
export function putFoldersJobs(rooms: PutRooms): readonly Job[] {
  const { putFolders, putFoldersEveryMs: everyMs } = rooms.config.archive;
  if (putFolders.length === 0) return [];
  return [
    {
      name: 'put-folders',
      summary: 'Puts the folders of archive.putFolders that have changed into the archive.',
      schedule: { everyMs, jitterPercent: 5 },
      timeLimitMs: TIME_LIMIT_MS,
      run: (context) => new PutFolders(rooms, context).run(),
    },
  ];
}

/** What was put last, by the SHA-256 of a folder's line: how it looked. At most 100 of 130 bytes each. */
type Put = Readonly<Record<string, string>>;

class PutFolders {
  readonly #rooms: PutRooms;
  readonly #context: JobContext;
  readonly #counts = { put: 0, unchanged: 0, busy: 0, newBytes: 0 };

  constructor(rooms: PutRooms, context: JobContext) {
    this.#rooms = rooms;
    this.#context = context;
  }

  async run(): Promise<JobResult> {
    const { checkpoint, signal } = this.#context;
    const lines = this.#rooms.config.archive.putFolders;
    const before = (await checkpoint.load()) as Put | undefined;
    const names = lines.map((line) => sha256(line));
    // A folder that is not named any more is forgotten.
    const put = Object.fromEntries(names.map((name) => [name, before?.[name] ?? '']));
    const failures: string[] = [];
    for (const [index, line] of lines.entries()) {
      signal.throwIfAborted();
      const name = names[index] as string;
      try {
        const look = await this.#putChanged(line, put[name] ?? '');
        if (look === undefined) continue;
        put[name] = look;
        await checkpoint.save(put);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof CodedError)) throw error;
        failures.push(`${line}: ${error.message}`);
      }
    }
    if (failures.length > 0) throw new CliError('CLI_REFUSED', failures.join('; '));
    return { summary: this.#summary(), counts: this.#counts };
  }

  /** How it looks now that it is put; undefined when it was left as it is. */
  async #putChanged(line: string, before: string): Promise<string | undefined> {
    const named = putFolderOf(line);
    assert(named !== undefined, 'the settings take no other line');
    // Read when it runs: a server that starts needs none of it.
    const { readContentFolder } = await import('#cli/content-folder.ts');
    const folder = await readContentFolder(named.path);
    const look = lookOf(folder);
    if (look === before) {
      this.#counts.unchanged += 1;
      return undefined;
    }
    if (this.#isBusy(folder)) {
      this.#counts.busy += 1;
      return undefined;
    }
    await this.#put(folder, named.category, async () => {
      if (lookOf(await readContentFolder(named.path)) === look) return;
      throw new CliError(
        'CLI_REFUSED',
        'it changed while it was read. The next run reads it again',
      );
    });
    return look;
  }

  #isBusy({ files }: ContentFolder): boolean {
    const nowMs = this.#context.clock.nowMs();
    const sinceMs = nowMs - this.#rooms.config.archive.putFoldersQuietMs;
    // A time that is yet to come says nothing of when it was written.
    return files.some(({ modifiedMs }) => modifiedMs > sinceMs && modifiedMs <= nowMs);
  }

  async #put(
    folder: ContentFolder,
    category: string,
    whenRead: () => Promise<void>,
  ): Promise<void> {
    const { clock, signal, progress } = this.#context;
    const at = new Date(clock.nowMs()).toISOString();
    const { putTorrent } = await import('./put-torrent.ts');
    let done = 0;
    let told = 0;
    const { isNew, newBytes } = await putTorrent(this.#rooms, {
      ...{ folder, category, tags: [], version: 'v1' },
      title: `${folder.name}, ${at.slice(0, 10)}`,
      description: `As it was at ${at.slice(0, 16).replace('T', ' ')} UTC.`,
      ...{ signal, whenRead },
      onBytes(bytes) {
        done += bytes;
        if (done - told < PROGRESS_BYTES) return;
        told = done;
        progress(done, folder.sizeBytes, `bytes of ${folder.name}`);
      },
    });
    if (isNew) this.#counts.put += 1;
    else this.#counts.unchanged += 1;
    this.#counts.newBytes += newBytes;
  }

  #summary(): string {
    const { put, busy } = this.#counts;
    const waiting = busy === 0 ? '' : ` ${busy} are still being written to.`;
    return put === 0 ? `Nothing was to be put.${waiting}` : `${put} folders were put.${waiting}`;
  }
}

/** Names, sizes and times of all files, in any order of the disk's. */
function lookOf({ files }: ContentFolder): string {
  const lines = files.map(({ path, sizeBytes, modifiedMs }) =>
    JSON.stringify([path, sizeBytes, modifiedMs]),
  );
  return sha256(lines.sort().join('\n'));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
