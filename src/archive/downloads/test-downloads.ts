// For tests: a kept torrent in memory, its tree, and downloads of it.

import { keepTorrent } from '#archive/catalogue/kept-torrents.ts';
import { archiveConfig } from '#archive/config.ts';
import { FileWriter, type WrittenFile } from '#archive/content/file-writer.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { SimClock } from '#sim/clock.ts';
import { migrate } from '#sql/migrate.ts';
import type { Sql } from '#sql/sql.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import type { ContentEntry, ContentTorrent, ContentTree } from './content-tree.ts';
import { Downloads } from './downloads.ts';
import type { Grant } from './granted-body.ts';

const SEGMENT_BYTES = 256 * 1024;
export const TORRENT: ContentTorrent = { id: 3, name: 'survey', createdMs: 1_700_000_000_000 };

export interface TestDownloads {
  readonly downloads: Downloads;
  readonly store: MemoryStore;
  readonly clock: SimClock;
  readonly sql: Sql;
  /** `ends`: what a grant says from then on. */
  readonly right: { ends: boolean; sent: number };
  readonly grant: Grant;
}

/** Files by path, in the order of the tree; sizes are theirs. */
export async function withDownloads(
  files: Readonly<Record<string, Uint8Array>>,
  run: (of: TestDownloads) => Promise<void>,
  settings: Partial<typeof archiveConfig._output> = {},
): Promise<void> {
  const sql = await openTestSqlite();
  try {
    await migrate(sql, archiveMigrations, { clock: new SystemClock() });
    const store = new MemoryStore();
    const written: WrittenFile[] = [];
    for (const bytes of Object.values(files)) {
      const world = { store, hasher: new InPlaceHasher() };
      const writer = new FileWriter(world, { bytes: bytes.length, segmentBytes: SEGMENT_BYTES });
      await writer.write(bytes);
      written.push(await writer.finish());
    }
    await keepTorrent(sql, { id: TORRENT.id, files: written, nowMs: 1 });
    const clock = new SimClock();
    const entries = entriesOf(files);
    const downloads = new Downloads({
      ...{ sql, clock, hasher: new InPlaceHasher(), healers: [], logger: silentLogger },
      config: archiveConfig.parse({ readCacheBytes: 0, ...settings }),
      store: async () => store,
      tree: treeOf(entries),
      catalogue: {
        torrentByHash: async () => ({ id: TORRENT.id }),
        listing: async () => ({
          name: TORRENT.name,
          singleFile: false,
          files: Object.entries(files).map(([path, { length: sizeBytes }]) => ({
            ...{ path: path.split('/'), sizeBytes, pad: false },
          })),
        }),
      },
    });
    const right = { ends: false, sent: 0 };
    const grant: Grant = {
      holder: 'member 7',
      mayStay: async () => !right.ends,
      onSent: (bytes) => {
        right.sent += bytes;
      },
    };
    await run({ downloads, store, clock, sql, right, grant });
  } finally {
    await sql.close();
  }
}

/** Folders stand before what is in them; `files` have theirs together. */
function entriesOf(files: Readonly<Record<string, Uint8Array>>): readonly Placed[] {
  const entries: Placed[] = [];
  const known = new Map<string, number>([['', -1]]);
  for (const [path, { length }] of Object.entries(files)) {
    const names = path.split('/');
    for (let depth = 1; depth < names.length; depth++) {
      const folder = `${names.slice(0, depth).join('/')}/`;
      if (known.has(folder)) continue;
      known.set(folder, entries.length);
      entries.push(entryOf(folder, entries.length, 0, known));
    }
    entries.push(entryOf(path, entries.length, length, known));
  }
  return entries;
}

interface Placed extends ContentEntry {
  readonly parent: number;
}

function entryOf(
  path: string,
  position: number,
  sizeBytes: number,
  known: ReadonlyMap<string, number>,
): Placed {
  const above = path.replace(/[^/]+\/?$/, '');
  const name = path.slice(above.length).replace('/', '');
  return {
    position,
    path,
    name,
    isFolder: path.endsWith('/'),
    sizeBytes,
    parent: known.get(above)!,
  };
}

function treeOf(entries: readonly Placed[]): ContentTree {
  const from = (after: number, limit: number, passes: (entry: Placed) => boolean) =>
    entries.filter((entry) => entry.position > after && passes(entry)).slice(0, limit);
  return {
    children: async ({ folder, after }, limit) =>
      from(after, limit, (entry) => entry.parent === folder),
    child: async ({ folder }, name) =>
      entries.find((entry) => entry.parent === folder && entry.name === name),
    below: async ({ path, after }, limit) =>
      from(after, limit, (entry) => entry.path.startsWith(path)),
  };
}

export async function bodyOf(answer: {
  readonly body?: AsyncIterableIterator<Uint8Array>;
}): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of answer.body ?? []) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}
