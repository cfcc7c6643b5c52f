// The data folder: everything one Swarmkeep owns, and the lock that gives it to one process.
//
//   swarmkeep.toml        the operator's settings (optional)
//   lock                  an SQLite file, held exclusively while a process has the folder
//   server.json           pid and socket of the running server, so that commands can reach it
//   sql/  log/  baselines/  tracker/  keys/     one folder per room that writes
//
// The lock is the operating system's: kill -9 frees it, and no pid file can go stale.

import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Random } from '#base/random.ts';
import { CliError } from './errors.ts';

/** Two short commands at once wait for each other; a server does not let go. */
const LOCK_WAIT_MS = 3_000;

export interface ServerAddress {
  readonly pid: number;
  readonly socketPath: string;
}

export class DataFolder {
  readonly path: string;
  readonly #lock: DatabaseSync;

  private constructor(path: string, lock: DatabaseSync) {
    this.path = path;
    this.#lock = lock;
  }

  /**
   * Makes the folder when it is missing and takes its lock.
   * @throws CliError CLI_DATA_LOCKED, CLI_DATA_UNUSABLE
   */
  static take(folder: string): DataFolder {
    const path = resolve(folder);
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw new CliError('CLI_DATA_UNUSABLE', `Cannot make the data folder "${path}"`, { cause });
    }
    return new DataFolder(path, takeLock(path));
  }

  /** The path of a room's own folder; made when it is missing. */
  folder(name: string): string {
    const path = join(this.path, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  /** A secret of `size` bytes, made at first use and kept in `keys/`, readable by its owner only. */
  secret(name: string, size: number, random: Random): Uint8Array {
    const path = join(this.folder('keys'), name);
    if (existsSync(path)) {
      const bytes = readFileSync(path);
      if (bytes.byteLength === size) return new Uint8Array(bytes);
      throw new CliError(
        'CLI_DATA_UNUSABLE',
        `Cannot use the key file "${path}": ${bytes.byteLength} bytes, expected ${size}`,
      );
    }
    const bytes = random.bytes(size);
    writeFileSync(path, bytes, { mode: 0o600, flush: true });
    return bytes;
  }

  announceServer(address: ServerAddress): void {
    writeFileSync(join(this.path, 'server.json'), `${JSON.stringify(address)}\n`, { mode: 0o600 });
  }

  release(): void {
    rmSync(join(this.path, 'server.json'), { force: true });
    this.#lock.close();
  }
}

/** Where the server on this folder listens, if one wrote that down; it may have died since. */
export function serverAddress(folder: string): ServerAddress | undefined {
  try {
    const text = readFileSync(join(resolve(folder), 'server.json'), 'utf8');
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, socketPath } = value as Partial<ServerAddress>;
    return typeof pid === 'number' && typeof socketPath === 'string'
      ? { pid, socketPath }
      : undefined;
  } catch {
    // No file, or one that a crash left half written: both mean that nobody can be asked.
    return undefined;
  }
}

function takeLock(path: string): DatabaseSync {
  const lockPath = join(path, 'lock');
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(lockPath, { timeout: LOCK_WAIT_MS });
    lock.exec('pragma locking_mode = exclusive; begin exclusive; commit');
    chmodSync(lockPath, 0o600);
    return lock;
  } catch (cause) {
    lock?.close();
    if (cause instanceof Error && /locked|busy/i.test(cause.message)) {
      throw new CliError('CLI_DATA_LOCKED', `Cannot open the data folder "${path}": it is in use`, {
        cause,
      });
    }
    throw new CliError('CLI_DATA_UNUSABLE', `Cannot write in the data folder "${path}"`, { cause });
  }
}
