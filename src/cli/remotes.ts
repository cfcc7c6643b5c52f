// Remote stores that a person's commands know by name, with their tokens: `remotes.json` in the person's
// own folder (config/user-folder.ts), which nobody else can read.

import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { codeOf } from '#base/errors.ts';
import { environment } from '#config/load.ts';
import { userFolder } from '#config/user-folder.ts';
import { CliError } from './errors.ts';

export interface Remote {
  readonly url: string;
  readonly token: string;
}

export type Remotes = Readonly<Record<string, Remote>>;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function isRemoteName(text: string): boolean {
  return NAME.test(text);
}

export function remotesPath(): string {
  const world = { platform: process.platform, env: environment(), home: homedir() };
  return join(userFolder(world), 'remotes.json');
}

/** None when there is no file. @throws CliError CLI_REFUSED when it is damaged */
export function readRemotes(path: string): Remotes {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return {};
    throw new CliError('CLI_REFUSED', `Cannot read the remotes in "${path}"`, { cause });
  }
  const remotes: Record<string, Remote> = {};
  for (const [name, one] of Object.entries(value ?? {}) as [string, Partial<Remote> | null][]) {
    if (typeof one?.url !== 'string' || typeof one.token !== 'string') {
      throw new CliError('CLI_REFUSED', `The remote "${name}" in "${path}" has no url and token`);
    }
    remotes[name] = { url: one.url, token: one.token };
  }
  return remotes;
}

/** Whole or not at all, and readable for its owner only. */
export function writeRemotes(path: string, remotes: Remotes): void {
  const folder = join(path, '..');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, `${JSON.stringify(remotes, undefined, 2)}\n`, {
    mode: 0o600,
    flush: true,
  });
  // The mode of writeFile is of a new file only.
  chmodSync(`${path}.new`, 0o600);
  renameSync(`${path}.new`, path);
}
