// Finds the addon in native/ or builds it: plain `cc`, the headers that come with Node, no network.
// What cannot be built is no error: Node's own sockets do the same, slower. The binary's name holds a
// hash of all it was made from, so that a change makes a new one and an old one is never loaded.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '#base/errors.ts';
import type { AddonPlace } from '#net/addon.ts';

const NATIVE_FOLDER = fileURLToPath(new URL('../../native', import.meta.url));
const FLAGS: readonly string[] = [
  '-std=c11',
  '-O2',
  '-fPIC',
  '-shared',
  '-fvisibility=hidden',
  '-Wall',
  '-Wextra',
];
const BUILD_MS_MAX = 60_000;
/** An older binary may still be waited for by a thread of a server that starts right now. */
const OLD_MS_MIN = 86_400_000;

/**
 * Looks in `native/build` and in `folders`, then builds into the first of them that can be written.
 * Two processes may do so at once. Never throws.
 */
export function findOrBuildAddon(folders: readonly string[] = []): AddonPlace {
  try {
    if (process.platform !== 'linux') return { why: `no batched sockets on ${process.platform}` };
    const sources = listSources();
    if (sources.length === 0) return { why: 'native/ is not there' };
    const name = `swarmkeep-${hashOf(sources)}.node`;
    const places = [join(NATIVE_FOLDER, 'build'), ...folders].map((folder) => join(folder, name));
    const found = places.find((path) => existsSync(path));
    return found === undefined ? buildInto(places, sources) : { path: found };
  } catch (error) {
    return { why: messageOf(error) };
  }
}

function listSources(): readonly string[] {
  if (!existsSync(NATIVE_FOLDER)) return [];
  return readdirSync(NATIVE_FOLDER)
    .filter((name) => /\.[ch]$/.test(name))
    .sort()
    .map((name) => join(NATIVE_FOLDER, name));
}

function hashOf(sources: readonly string[]): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([FLAGS, process.arch, process.versions['napi']]));
  for (const path of sources)
    hash.update(path.slice(NATIVE_FOLDER.length)).update(readFileSync(path));
  return hash.digest('hex').slice(0, 16);
}

function buildInto(places: readonly string[], sources: readonly string[]): AddonPlace {
  const headers = findHeaders();
  if (headers === undefined) return { why: "Node's headers are not there" };
  let why = '';
  for (const path of places) {
    const built = build(path, headers, sources);
    if (built === '') return { path };
    why ||= built;
  }
  return { why };
}

/** A file of its own, then a rename: whoever sees the name sees a whole binary. '' or why not. */
function build(path: string, headers: string, sources: readonly string[]): string {
  const aside = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const code = sources.filter((source) => source.endsWith('.c'));
    const args = [...FLAGS, `-I${headers}`, ...code, '-o', aside];
    const { status, stderr, error } = spawnSync('cc', args, {
      encoding: 'utf8',
      timeout: BUILD_MS_MAX,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (error !== undefined) return `no C compiler: ${messageOf(error)}`;
    if (status !== 0) return `cc failed: ${firstError(stderr)}`;
    renameSync(aside, path);
    removeOld(dirname(path));
    return '';
  } catch (error) {
    return messageOf(error);
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Beside this Node, or in the package that brings one. */
function findHeaders(): string | undefined {
  const package_ = `node-linux-${process.arch}/include/node`;
  const candidates = [
    join(dirname(process.execPath), '../include/node'),
    join(NATIVE_FOLDER, '../node_modules', package_),
    join(NATIVE_FOLDER, '../..', package_),
    '/usr/include/node',
    '/usr/include/nodejs/src',
  ];
  return candidates.find(
    (folder) => existsSync(join(folder, 'node_api.h')) && existsSync(join(folder, 'uv.h')),
  );
}

function firstError(text: string): string {
  const lines = text.split('\n');
  return lines.find((line) => /error/i.test(line)) ?? lines[0] ?? '';
}

function removeOld(folder: string): void {
  const sinceMs = statSync(folder).mtimeMs - OLD_MS_MIN;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (/^swarmkeep-[0-9a-f]{16}\.node/.test(name) && statSync(path).mtimeMs < sinceMs) {
      rmSync(path, { force: true });
    }
  }
}
