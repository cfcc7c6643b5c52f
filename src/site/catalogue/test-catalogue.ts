// For tests: small torrents made on the spot, and a catalogue in an empty database.

import { accountingMigrations } from '#accounting/migrations/all.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { siteMigrations } from '#site/migrations/all.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { type OpenTestSql, openMigrated } from '#sql/test-databases.ts';
import { makeMetainfo } from '#wire/metainfo-maker.ts';
import { catalogueConfig } from './catalogue-config.ts';
import type { CatalogueWorld } from './torrents.ts';

export interface TestTorrent {
  readonly name?: string;
  readonly version?: 'v1' | 'v2' | 'hybrid';
  /** Path and size; the content follows from `seed`. */
  readonly files?: Readonly<Record<string, number>>;
  readonly seed?: number;
  readonly private?: boolean;
  readonly source?: string;
  readonly announceTiers?: readonly (readonly string[])[];
}

/** The bytes of a .torrent file. */
export async function makeTorrent(asked: TestTorrent = {}): Promise<Uint8Array> {
  const { name = 'letters', version = 'v1', files = { 'a.txt': 20_000 }, seed = 1 } = asked;
  const made = await makeMetainfo({
    version,
    name,
    singleFile: false,
    pieceLength: 16_384,
    files: Object.entries(files).map(([path, sizeBytes], at) => ({
      path: path.split('/'),
      sizeBytes,
      async *read() {
        const random = new SeededRandom(seed, at);
        for (let left = sizeBytes; left > 0; left -= 16_384) {
          yield random.bytes(Math.min(left, 16_384));
        }
      },
    })),
    ...(asked.private === undefined ? {} : { private: asked.private }),
    ...(asked.source === undefined ? {} : { source: asked.source }),
    ...(asked.announceTiers === undefined ? {} : { announceTiers: asked.announceTiers }),
  });
  if (!made.ok) throw new Error(made.reason);
  return made.bytes;
}

export interface TestCatalogue extends CatalogueWorld {
  readonly clock: SimClock;
  /** How often the outbox was woken. */
  readonly changes: { count: number };
}

export async function openCatalogue(open: OpenTestSql): Promise<TestCatalogue> {
  const rooms = [sqlMigrations, accountingMigrations, archiveMigrations, siteMigrations];
  const sql = await openMigrated(open, rooms.flat());
  const clock = new SimClock();
  const changes = { count: 0 };
  const changed = (): void => {
    changes.count += 1;
  };
  return { sql, clock, config: catalogueConfig.parse({}), changed, changes };
}

/** The messages that wait for the trackers, oldest first. */
export async function waitingMessages(sql: Sql): Promise<unknown[]> {
  const rows = await sql
    .read<{ outbox: { id: number; message: string } }>()
    .selectFrom('outbox')
    .select('message')
    .orderBy('id')
    .execute();
  return rows.map((row) => JSON.parse(row.message) as unknown);
}
