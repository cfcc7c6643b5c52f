// The one place on a person's machine where what is theirs lies: remote stores that their commands know,
// with the tokens for them. Everything of a server lies in its data folder instead.

import { posix, win32 } from 'node:path';

const NAME = 'swarmkeep';

export interface UserWorld {
  /** As `process.platform` says it. */
  readonly platform: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The person's home folder. */
  readonly home: string;
}

/**
 * Linux and others: `$XDG_CONFIG_HOME/swarmkeep`, or `~/.config/swarmkeep`. macOS:
 * `~/Library/Application Support/Swarmkeep`. Windows: `%APPDATA%\Swarmkeep`. A variable that is no
 * absolute path does not count, as the XDG specification wants it.
 */
export function userFolder({ platform, env, home }: UserWorld): string {
  if (platform === 'win32') {
    const appData = env['APPDATA'] ?? '';
    const roaming = win32.isAbsolute(appData) ? appData : win32.join(home, 'AppData', 'Roaming');
    return win32.join(roaming, 'Swarmkeep');
  }
  if (platform === 'darwin') return posix.join(home, 'Library', 'Application Support', 'Swarmkeep');
  const config = env['XDG_CONFIG_HOME'] ?? '';
  return posix.join(posix.isAbsolute(config) ? config : posix.join(home, '.config'), NAME);
}
