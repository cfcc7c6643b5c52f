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
import { basename, dirname, join } from 'node:path';
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

export interface AddonBuild {
  /** Where else it may lie, when `native/build` cannot be written. */
  readonly folders?: readonly string[];
  /** For tests: another `native/`, another compiler, more flags. */
  readonly nativeFolder?: string;
  readonly compiler?: string;
  readonly flags?: readonly string[];
}

/**
 * Looks in `native/build` and in `folders`, then builds into the first of them that can be written.
 * Two processes may do so at once. Never throws.
 */
export function findOrBuildAddon(options: AddonBuild = {}): AddonPlace {
  const { folders = [], nativeFolder = NATIVE_FOLDER, compiler = 'cc', flags = [] } = options;
  try {
    if (process.platform !== 'linux') return { why: `no batched sockets on ${process.platform}` };
    const sources = listSources(nativeFolder);
    if (sources.length === 0) return { why: 'native/ is not there' };
    const allFlags = [...FLAGS, ...flags];
    const name = `swarmkeep-${hashOf(sources, allFlags)}.node`;
    const places = [join(nativeFolder, 'build'), ...folders].map((folder) => join(folder, name));
    const found = places.find((path) => existsSync(path));
    if (found !== undefined) return { path: found };
    return buildInto(places, { sources, compiler, flags: allFlags });
  } catch (error) {
    return { why: messageOf(error) };
  }
}

interface Recipe {
  readonly sources: readonly string[];
  readonly compiler: string;
  readonly flags: readonly string[];
}

function listSources(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /\.[ch]$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

function hashOf(sources: readonly string[], flags: readonly string[]): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([flags, process.arch, process.versions['napi']]));
  for (const path of sources) hash.update(basename(path)).update(readFileSync(path));
  return hash.digest('hex').slice(0, 16);
}

function buildInto(places: readonly string[], recipe: Recipe): AddonPlace {
  const headers = findHeaders();
  if (headers === undefined) return { why: "Node's headers are not there" };
  let why = '';
  for (const path of places) {
    const built = build(path, headers, recipe);
    if (built === '') return { path };
    why ||= built;
  }
  return { why };
}

/** A file of its own, then a rename: whoever sees the name sees a whole binary. '' or why not. */
function build(path: string, headers: string, recipe: Recipe): string {
  const aside = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const code = recipe.sources.filter((source) => source.endsWith('.c'));
    const args = [...recipe.flags, `-I${headers}`, ...code, '-o', aside];
    const { status, stderr, error } = spawnSync(recipe.compiler, args, {
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
    if (existsSync(aside)) rmSync(aside);
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
    if (!/^swarmkeep-[0-9a-f]{16}\.node/.test(name)) continue;
    const path = join(folder, name);
    // Another process may have renamed or removed it since the folder was read.
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && stat.mtimeMs < sinceMs) rmSync(path, { force: true });
  }
}
