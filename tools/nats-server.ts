// Brings a nats-server that knows `sync_interval: always` (2.10 or later) for benchmarks, where the
// system's own is older: from Debian's next release, fetched and checked by apt with lists of its own
// and unpacked into a temporary folder. Nothing is installed. By itself:
//
//   node -C swarmkeep-src tools/nats-server.ts

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './child-process.ts';

const RELEASE = 'trixie';
const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg';
const FOLDER = join(tmpdir(), 'swarmkeep-nats-server');

/** The one that was unpacked, else the one in PATH. */
export function natsServerPath(): string {
  const unpacked = join(FOLDER, 'unpacked/usr/sbin/nats-server');
  return existsSync(unpacked) ? unpacked : 'nats-server';
}

/** Why not, or undefined when it is there. */
export async function bringNatsServer(): Promise<string | undefined> {
  if (natsServerPath() !== 'nats-server') return undefined;
  if (!existsSync(KEYS)) return 'this is no Debian: its keys are missing';
  for (const folder of ['etc/preferences.d', 'lists/partial', 'archives/partial', 'fetched']) {
    mkdirSync(join(FOLDER, folder), { recursive: true });
  }
  const source = `deb [signed-by=${KEYS}] http://deb.debian.org/debian ${RELEASE} main\n`;
  writeFileSync(join(FOLDER, 'sources.list'), source);
  writeFileSync(join(FOLDER, 'status'), '');
  const options = [
    ['Dir::Etc::sourcelist', join(FOLDER, 'sources.list')],
    ['Dir::Etc::sourceparts', '-'],
    ['Dir::Etc::preferencesparts', join(FOLDER, 'etc/preferences.d')],
    ['Dir::State::lists', join(FOLDER, 'lists')],
    ['Dir::State::status', join(FOLDER, 'status')],
    ['Dir::Cache::archives', join(FOLDER, 'archives')],
    ['Dir::Cache::pkgcache', ''],
    ['Dir::Cache::srcpkgcache', ''],
    ['APT::Sandbox::User', ''],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const steps: readonly (readonly string[])[] = [
    ['apt-get', ...options, '-qq', 'update'],
    ['sh', '-c', 'cd "$0" && apt-get "$@"', join(FOLDER, 'fetched'), ...options, '-qq', 'download'],
  ];
  for (const [program = '', ...words] of steps) {
    const isLast = program === 'sh';
    const ran = await runProgram(program, isLast ? [...words, 'nats-server'] : words);
    if (ran.exitCode !== 0) return `apt does not offer it: ${ran.output.trim().slice(-200)}`;
  }
  const [fetched] = readdirSync(join(FOLDER, 'fetched'));
  if (fetched === undefined) return 'apt fetched nothing';
  const from = join(FOLDER, 'fetched', fetched);
  const unpacked = await runProgram('dpkg-deb', ['-x', from, join(FOLDER, 'unpacked')]);
  rmSync(join(FOLDER, 'lists'), { recursive: true, force: true });
  return unpacked.exitCode === 0 ? undefined : unpacked.output.trim();
}

if (import.meta.main) {
  const reason = await bringNatsServer();
  process.stdout.write(`${reason ?? natsServerPath()}\n`);
  process.exitCode = reason === undefined ? 0 : 1;
}
