// Which keeper shall hold what: every kept file has archive.keeperCopies copies with keepers that prove them.
// A copy that was not fetched or not proven in time fails; the file then gets another one elsewhere.

import { sql as raw } from 'kysely';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import type { ArchiveConfig } from '#archive/config.ts';
import type { Job } from '#base/job.ts';
import type { Registry } from '#metrics/registry.ts';
import { copyOf } from './copies.ts';
import { type KeeperState, listKeepers } from './keeper-book.ts';
import type { KeeperDesk, KeeperWorld } from './keeper-desk.ts';
import type { KeeperTables } from './keeper-tables.ts';

const EVERY_MS = 60_000;
const FILES_AT_ONCE = 200;
/** A keeper that failed a file does not get it again for so long. */
const BARRED_MS = 7 * 86_400_000;

export interface Placed {
  readonly placed: number;
  readonly failed: number;
  readonly dropped: number;
  /** Files for which no keeper has room. */
  readonly homeless: number;
}

export function keepersJob(
  world: KeeperWorld & { readonly desk: KeeperDesk; readonly metrics: Registry },
): Job {
  const tell = gaugesOf(world);
  return {
    name: 'archive-keepers',
    summary: 'Gives keepers what they shall hold, and what one failed to prove to another.',
    schedule: { everyMs: EVERY_MS, jitterPercent: 10 },
    timeLimitMs: 3_600_000,
    async run({ signal }) {
      const counts = { ...(await placeCopies(world, signal)) };
      await tell(counts.homeless);
      const { placed, failed, homeless } = counts;
      const without = homeless === 0 ? '' : `, ${homeless} files find no room`;
      return { summary: `${placed} copies were placed, ${failed} failed${without}.`, counts };
    },
  };
}

function gaugesOf({ sql, clock, metrics }: KeeperWorld & { readonly metrics: Registry }) {
  const copies = metrics.gauge(
    'swarmkeep_keeper_copies',
    'Copies of files that keepers hold, shall fetch, or failed to prove, by state.',
  );
  const held = metrics.gauge('swarmkeep_keeper_held_bytes', 'Bytes of copies that keepers hold.');
  const unproven = metrics.gauge(
    'swarmkeep_keeper_unproven_seconds',
    'For how long the copy is unproven that was proven longest ago; 0 without copies.',
  );
  const homeless = metrics.gauge(
    'swarmkeep_keeper_files_without_room',
    'Kept files that lack a copy and for which no keeper has room.',
  );
  return async (filesWithoutRoom: number): Promise<void> => {
    const keepers = await listKeepers(sql);
    const sum = (of: (keeper: KeeperState) => number): number =>
      keepers.reduce((total, keeper) => total + of(keeper), 0);
    copies.set(
      sum((one) => one.heldCopies),
      { state: 'held' },
    );
    copies.set(
      sum((one) => one.wantedCopies),
      { state: 'wanted' },
    );
    copies.set(
      sum((one) => one.failedCopies),
      { state: 'failed' },
    );
    held.set(sum((one) => one.heldBytes));
    const nowMs = clock.nowMs();
    const provenMs = Math.min(nowMs, ...keepers.map((one) => one.provenMs ?? nowMs));
    unproven.set(Math.round((nowMs - provenMs) / 1000));
    homeless.set(filesWithoutRoom);
  };
}

/** One round; a second one right after it finds nothing to do. */
export async function placeCopies(
  world: KeeperWorld & { readonly desk: KeeperDesk },
  signal?: AbortSignal,
): Promise<Placed> {
  const failed = await failLate(world);
  const dropped = await dropUnneeded(world);
  const rooms = await roomsOf(world);
  if (rooms.length === 0) return { placed: 0, failed, dropped, homeless: 0 };
  let placed = 0;
  let homeless = 0;
  for (let after = 0; ; ) {
    signal?.throwIfAborted();
    const files = await filesLacking(world, after);
    const last = files.at(-1);
    if (last === undefined) return { placed, failed, dropped, homeless };
    for (const file of files) {
      const made = await place(world, rooms, file);
      placed += made;
      if (made < file.lacking) homeless += 1;
    }
    after = last.id;
  }
}

/** A copy must have had the chance to be proven. */
function unprovenMsMax({ keeperUnprovenMsMax, keeperProofEveryMs }: ArchiveConfig): number {
  return Math.max(keeperUnprovenMsMax, 2 * keeperProofEveryMs);
}

/** Not fetched, or said to be held and not proven, for too long; and what is barred no more. */
async function failLate({ sql, clock, config, desk }: KeeperWorld & { desk: KeeperDesk }) {
  const nowMs = clock.nowMs();
  const beforeMs = nowMs - unprovenMsMax(config);
  const rows = await sql
    .read<KeeperTables>()
    .selectFrom('archive_copy')
    .selectAll()
    .where('state', 'in', ['wanted', 'held'])
    .where('since_ms', '<', beforeMs)
    .where('proven_ms', '<', beforeMs)
    .limit(10_000)
    .execute();
  for (const row of rows) {
    const reason =
      row.state === 'held' ? 'It was not proven in time' : 'It was not fetched in time';
    await desk.copies.failed(copyOf(row), reason);
  }
  await sql.transaction<KeeperTables, void>(async (transaction) => {
    await transaction
      .deleteFrom('archive_copy')
      .where('state', '=', 'failed')
      .where('since_ms', '<', nowMs - BARRED_MS)
      .execute();
  });
  return rows.length;
}

async function dropUnneeded({ sql, clock }: KeeperWorld): Promise<number> {
  return await sql.transaction<KeeperTables & ArchiveTables, number>(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('archive_copy')
      .set({ state: 'dropped', since_ms: clock.nowMs() })
      .where('state', 'in', ['wanted', 'held'])
      .where((of) =>
        of.not(
          of.exists(
            of
              .selectFrom('archive_file')
              .innerJoin('archive_entry', 'archive_entry.file_id', 'archive_file.id')
              .select('archive_file.id')
              .whereRef('archive_file.root', '=', 'archive_copy.root'),
          ),
        ),
      )
      .executeTakeFirst();
    return Number(numUpdatedRows);
  });
}

interface Room {
  readonly keeperId: number;
  free: number;
}

/** Of keepers that were heard of lately. */
async function roomsOf({ sql, clock, config }: KeeperWorld): Promise<Room[]> {
  const sinceMs = clock.nowMs() - unprovenMsMax(config);
  const used = await sql
    .read<KeeperTables>()
    .selectFrom('archive_copy')
    .select((of) => [
      'keeper_id',
      raw<number>`cast(sum(${of.ref('size_bytes')}) as bigint)`.as('bytes'),
    ])
    .where('state', '!=', 'failed')
    .groupBy('keeper_id')
    .execute();
  const keepers = await listKeepers(sql);
  return keepers
    .filter(({ seenMs }) => seenMs >= sinceMs)
    .map(({ id, bytesMax, offeredBytes }) => {
      const bytes = used.find((row) => row.keeper_id === id)?.bytes ?? 0;
      return { keeperId: id, free: Math.min(bytesMax, offeredBytes) - bytes };
    });
}

interface LackingFile {
  readonly id: number;
  readonly root: Uint8Array;
  readonly bytes: number;
  readonly lacking: number;
}

async function filesLacking({ sql, config }: KeeperWorld, after: number): Promise<LackingFile[]> {
  const rows = await sql
    .read<ArchiveTables & KeeperTables>()
    .selectFrom('archive_file')
    .select((of) => [
      'archive_file.id',
      'archive_file.root',
      'archive_file.size_bytes',
      of
        .selectFrom('archive_copy')
        .select((copy) => copy.fn.countAll<number>().as('copies'))
        .whereRef('archive_copy.root', '=', 'archive_file.root')
        .where('state', 'in', ['wanted', 'held'])
        .as('copies'),
    ])
    .where('archive_file.id', '>', after)
    .where((of) =>
      of.exists(
        of
          .selectFrom('archive_entry')
          .select('file_id')
          .whereRef('file_id', '=', 'archive_file.id'),
      ),
    )
    .orderBy('archive_file.id')
    .limit(FILES_AT_ONCE)
    .execute();
  return rows.map(({ id, root, size_bytes: bytes, copies }) => ({
    ...{ id, root, bytes, lacking: Math.max(0, config.keeperCopies - (copies ?? 0)) },
  }));
}

/** With those who have most room, so that they fill up alike. How many copies were placed. */
async function place(world: KeeperWorld, rooms: Room[], file: LackingFile): Promise<number> {
  if (file.lacking === 0) return 0;
  const { sql, clock } = world;
  const known = await sql
    .read<KeeperTables>()
    .selectFrom('archive_copy')
    .select('keeper_id')
    .where('root', '=', file.root)
    .execute();
  const barred = new Set(known.map((row) => row.keeper_id));
  let placed = 0;
  for (const room of rooms.sort((a, b) => b.free - a.free)) {
    if (placed === file.lacking || room.free < file.bytes) break;
    if (barred.has(room.keeperId)) continue;
    await sql.transaction<KeeperTables, void>(async (transaction) => {
      await transaction
        .insertInto('archive_copy')
        .values({
          ...{ keeper_id: room.keeperId, root: file.root, size_bytes: file.bytes },
          ...{ state: 'wanted', since_ms: clock.nowMs(), proven_ms: 0, due_ms: 0 },
          ...{ proofs: 0, earned: 0, reason: '' },
        })
        .execute();
    });
    room.free -= file.bytes;
    placed += 1;
  }
  return placed;
}
