// A start as root (T26). The server works as the user `server.user` from its first moment on: its
// files are that user's. Only for binding its ports it takes root's rights back, and then gives them
// up for good. Works by the effective user id, which the process' threads share.

import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Logger } from '#base/logger.ts';
import { CliError } from './errors.ts';

const ROOT = 0;

export interface RightsConfig {
  /** Empty: stay who it is. */
  readonly user: string;
  /** Empty: the user's own. */
  readonly group: string;
}

export class Rights {
  readonly #uid: number;
  readonly #gid: number;

  private constructor(uid: number, gid: number) {
    this.#uid = uid;
    this.#gid = gid;
  }

  /**
   * From here on the process works as the configured user, in a data folder of theirs. Undefined when
   * it is not root, or stays root. @throws CliError CLI_USER_UNUSABLE, CLI_DATA_UNUSABLE
   */
  static take(config: RightsConfig, dataFolder: string, logger: Logger): Rights | undefined {
    const { user, group } = config;
    if (process.geteuid?.() !== ROOT) {
      if (user !== '' && user !== userName()) {
        throw new CliError(
          'CLI_USER_UNUSABLE',
          `Cannot become "${user}": only root can; start as root, or as "${user}"`,
        );
      }
      return undefined;
    }
    if (user === '') {
      logger.warn('running as root; set server.user and the server gives root up once it is bound');
      return undefined;
    }
    const uid = idOf('-u', user);
    const gid = group === '' ? idOf('-g', user) : groupId(group);
    if (uid === ROOT) {
      throw new CliError('CLI_USER_UNUSABLE', `Cannot give root up for "${user}", which is root`);
    }
    makeOwned(resolve(dataFolder), { user, uid, gid });
    process.setgroups?.([...new Set([gid, ...groupsOf(user)])]);
    process.setegid?.(gid);
    process.seteuid?.(uid);
    return new Rights(uid, gid);
  }

  /** Nothing else may make files meanwhile: they would be root's. */
  async asRoot<Result>(run: () => Promise<Result>): Promise<Result> {
    process.seteuid?.(ROOT);
    try {
      return await run();
    } finally {
      process.seteuid?.(this.#uid);
    }
  }

  /** For good. @throws CliError CLI_USER_UNUSABLE when root could be taken back */
  drop(): void {
    process.seteuid?.(ROOT);
    process.setgid?.(this.#gid);
    process.setuid?.(this.#uid);
    try {
      process.seteuid?.(ROOT);
    } catch {
      return;
    }
    throw new CliError('CLI_USER_UNUSABLE', "Cannot give root's rights up: they could be retaken");
  }
}

interface Owner {
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
}

/** A missing folder is made for the user; one that is there must be theirs, with what is in it. */
function makeOwned(folder: string, owner: Owner): void {
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chownSync(folder, owner.uid, owner.gid);
    return;
  }
  for (const path of [folder, ...readdirSync(folder).map((name) => join(folder, name))]) {
    const { uid } = statSync(path);
    if (uid === owner.uid) continue;
    throw new CliError(
      'CLI_DATA_UNUSABLE',
      `Cannot use "${path}": it belongs to user id ${uid}, expected "${owner.user}" (${owner.uid}); chown -R ${owner.user} "${folder}" gives it to them`,
    );
  }
}

function userName(): string {
  return id(['-u', '-n']) ?? '';
}

function idOf(option: '-u' | '-g', user: string): number {
  const found = Number(id([option, '--', user]) ?? Number.NaN);
  if (Number.isInteger(found)) return found;
  throw new CliError('CLI_USER_UNUSABLE', `Cannot become "${user}": there is no such user`);
}

function groupsOf(user: string): number[] {
  return (id(['-G', '--', user]) ?? '')
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}

function groupId(group: string): number {
  try {
    const line = execFileSync('getent', ['group', group], { encoding: 'utf8', stdio: QUIET });
    const gid = Number(line.split(':')[2]);
    if (Number.isInteger(gid)) return gid;
  } catch {
    // Told below: it is the same to whoever reads it.
  }
  throw new CliError(
    'CLI_USER_UNUSABLE',
    `Cannot use the group "${group}": there is no such group`,
  );
}

/** What `id` prints; it knows the users of every directory service that the system asks. */
function id(options: readonly string[]): string | undefined {
  try {
    return execFileSync('id', options, { encoding: 'utf8', stdio: QUIET }).trim();
  } catch {
    return undefined;
  }
}

const QUIET = ['ignore', 'pipe', 'ignore'] as ['ignore', 'pipe', 'ignore'];
