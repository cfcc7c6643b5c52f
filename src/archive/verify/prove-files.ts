// Proves many files, one after the other. While the end of one is hashed the next is read already; and what
// was found is written down behind that, all files together that ended meanwhile: a transaction for each
// would keep the disk waiting for as long as it takes to read a file.

import { type FoundCheck, saveChecks } from '#archive/catalogue/archive-health.ts';
import type { KeptFile } from '#archive/catalogue/kept-torrents.ts';
import type { Sql } from '#sql/sql.ts';
import { type CheckWorld, checkFile, type FileCheck } from './check-file.ts';

const FILES_AT_ONCE = 2;
/** Checked, and not written down yet. */
const UNSAVED_MAX = 100;

export interface ProveWorld extends CheckWorld {
  readonly sql: Sql;
  /** When a file counts as proven, Unix milliseconds. */
  readonly nowMs: () => number;
}

/**
 * `onProven` hears of each file when it is written down. @throws as `checkFile`; then what was proven is
 * written down all the same
 */
export async function proveFiles(
  world: ProveWorld,
  files: readonly KeptFile[],
  onProven: (file: KeptFile, check: FileCheck) => void,
): Promise<void> {
  const saver = new Saver(world, onProven);
  const rest = files.values();
  let hasFailed = false;
  const lane = async (): Promise<void> => {
    try {
      for (const file of rest) {
        const check = await checkFile(world, file);
        await saver.add({ file, check });
        if (hasFailed) return;
      }
    } catch (error) {
      hasFailed = true;
      throw error;
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: FILES_AT_ONCE }, lane));
  await saver.end();
  for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason;
}

interface Proven {
  readonly file: KeptFile;
  readonly check: FileCheck;
}

class Saver {
  readonly #world: ProveWorld;
  readonly #onProven: (file: KeptFile, check: FileCheck) => void;
  #unsaved: Proven[] = [];
  #saving: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(world: ProveWorld, onProven: (file: KeptFile, check: FileCheck) => void) {
    this.#world = world;
    this.#onProven = onProven;
  }

  async add(proven: Proven): Promise<void> {
    this.#unsaved.push(proven);
    this.#saving ??= this.#saveAll();
    if (this.#unsaved.length >= UNSAVED_MAX) await this.#saving;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async end(): Promise<void> {
    await this.#saving;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #saveAll(): Promise<void> {
    const { sql, nowMs } = this.#world;
    try {
      while (this.#unsaved.length > 0) {
        const all = this.#unsaved.splice(0);
        const checks = all.map(({ file, check }): FoundCheck => {
          return { fileId: file.id, damage: check.damage, map: check.map };
        });
        await saveChecks(sql, checks, nowMs());
        for (const { file, check } of all) this.#onProven(file, check);
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.#saving = undefined;
  }
}
