// The data folder: everything one Swarmkeep owns, and the lock that gives it to one process.
//
//   swarmkeep.toml        the operator's settings (optional)
//   lock                  an SQLite file, held exclusively while a process has the folder
//   server.json           pid and socket of the running server, so that commands can reach it
//   sql/  log/  baselines/  tracker/  store/  keys/   one folder per room that writes
//
// The lock is the operating system's: kill -9 frees it, and no pid file can go stale.

import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { codeOf } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import { CliError } from './errors.ts';

/** Two short commands at once wait for each other; a server does not let go. */
const LOCK_WAIT_MS = 3_000;

/**
 * The files of `keys/`: what signs connection ids, who this node is, the token of the log by HTTP, what signs
 * the archive's events.
 */
const SECRET_BYTES = {
  'connection-id': 32,
  'node-id': 8,
  'log-api': 32,
  'archive-events': 32,
} as const;
type SecretName = keyof typeof SECRET_BYTES;

export interface ServerAddress {
  readonly pid: number;
  readonly socketPath: string;
}

/** What server.json holds: the lock's identity tells a folder from a copy of it. */
interface StoredAddress extends ServerAddress {
  readonly lock: string;
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
      makeFolders(path);
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

  /** Every secret, made now when it is missing. @throws CliError CLI_DATA_UNUSABLE */
  makeSecrets(random: Random): void {
    for (const name of Object.keys(SECRET_BYTES) as SecretName[]) this.secret(name, random);
  }

  /**
   * Made at first use and kept in `keys/`, readable by its owner only.
   * @throws CliError CLI_DATA_UNUSABLE when the file is no such key
   */
  secret(name: SecretName, random: Random): Uint8Array {
    const size = SECRET_BYTES[name];
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
    const stored: StoredAddress = { ...address, lock: lockIdentity(this.path) };
    writeFileSync(join(this.path, 'server.json'), `${JSON.stringify(stored)}\n`, { mode: 0o600 });
  }

  /** Idempotent. */
  release(): void {
    if (!this.#lock.isOpen) return;
    rmSync(join(this.path, 'server.json'), { force: true });
    this.#lock.close();
  }
}

/** Whether anything was ever kept there. */
export function hasDataFolder(folder: string): boolean {
  return existsSync(join(resolve(folder), 'lock'));
}

/** Where the server on this folder listens, if one wrote that down; it may have died since. */
export function serverAddress(folder: string): ServerAddress | undefined {
  try {
    const text = readFileSync(join(resolve(folder), 'server.json'), 'utf8');
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, socketPath, lock } = value as Partial<StoredAddress>;
    // In a copy of the folder the file names the server of the original.
    if (lock !== lockIdentity(resolve(folder))) return undefined;
    if (typeof pid !== 'number' || typeof socketPath !== 'string') return undefined;
    return isOfServer(resolve(folder), socketPath) ? { pid, socketPath } : undefined;
  } catch {
    // No file, or one that a crash left half written: both mean that nobody can be asked.
    return undefined;
  }
}

/**
 * The socket of a folder with a long path lies in the temporary one, where anybody may put something under
 * its name when the server is gone: a password would be given to them.
 */
function isOfServer(folderPath: string, socketPath: string): boolean {
  const { uid } = statSync(join(folderPath, 'server.json'));
  return lstatSync(socketPath, { throwIfNoEntry: false })?.uid === uid;
}

/** The same for a folder that was moved, another for a copy. */
function lockIdentity(folderPath: string): string {
  const { dev, ino } = statSync(join(folderPath, 'lock'), { bigint: true });
  return `${dev}:${ino}`;
}

/** One by one: where a parent that is there says that it is not, as /proc does, Node tries for ever. */
function makeFolders(path: string): void {
  const missing: string[] = [];
  for (let at = path; !existsSync(at); at = dirname(at)) missing.push(at);
  for (const at of missing.reverse()) {
    try {
      mkdirSync(at, { mode: 0o700 });
    } catch (error) {
      // Another process was faster.
      if (codeOf(error) !== 'EEXIST') throw error;
    }
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
