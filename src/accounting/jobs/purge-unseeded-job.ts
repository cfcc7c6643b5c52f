// Takes torrents that nobody seeds out of the catalogue, after a time, a warning and a grace
// (accounting/unseeded/unseeded-watch.ts). A tracker that stands still, or a door that nobody gets
// through, looks like members who left; so it counts time only while somebody seeds something, and
// when more than a share of all torrents would be warned or removed at once it stops and asks: a
// person who runs it by hand says yes.
//
// Each torrent moves in one transaction with what is told of it, so that a run that was killed halfway
// is ended by the next, and nobody is told twice.

import type { Kysely, Transaction } from 'kysely';
import { AccountingError } from '#accounting/errors.ts';
import { type UnseededTables, unseededOf } from '#accounting/unseeded/unseeded-table.ts';
import {
  type UnseededSettings,
  type UnseededStep,
  unseededStep,
} from '#accounting/unseeded/unseeded-watch.ts';
import type { Job, JobContext } from '#base/job.ts';
import type { Sql } from '#sql/sql.ts';

export interface PurgeSettings extends UnseededSettings {
  /** Share of all torrents that may be warned or removed in one run; ten always may. */
  readonly shareMax: number;
}

export interface PurgeWorld {
  readonly sql: Sql;
  readonly settings: PurgeSettings;
  /** Torrents that may be removed, by id, above `after`: neither kept by the archive nor gone. */
  readonly page: (after: number, limit: number) => Promise<readonly number[]>;
  readonly isSeeded: (torrentId: number) => boolean;
  readonly effects: PurgeEffects;
}

/** What the site does; each in the transaction that it is given. */
export interface PurgeEffects {
  warn(transaction: Transaction<never>, warned: readonly Warned[], nowMs: number): Promise<void>;
  remove(transaction: Transaction<never>, torrentIds: readonly number[]): Promise<void>;
  afterCommit(): void;
}

export interface Warned {
  readonly torrentId: number;
  readonly sinceMs: number;
  /** When it goes, unless somebody seeds it. */
  readonly removedFromMs: number;
}

const EVERY_MS = 3_600_000;
const PAGE_TORRENTS = 200;
/** So many steps at once ask nobody. */
const STEPS_MIN = 10;
/** How long an answer may take. */
const ASKED_MS_MAX = 7 * 86_400_000;

/** Kept from run to run. */
interface Kept {
  readonly lookedMs: number;
  /** What a person is asked to allow. */
  readonly asked?: { readonly steps: number; readonly atMs: number };
}

export function purgeUnseededJob(world: PurgeWorld): Job {
  return {
    name: 'purge-unseeded',
    summary:
      'Removes torrents that nobody has seeded for long, after a warning. Asks when they are many.',
    schedule: { everyMs: EVERY_MS, jitterPercent: 10 },
    timeLimitMs: EVERY_MS,
    run: (context) => new Purge(world, context).run(),
  };
}

class Purge {
  readonly #world: PurgeWorld;
  readonly #context: JobContext;
  readonly #nowMs: number;

  constructor(world: PurgeWorld, context: JobContext) {
    this.#world = world;
    this.#context = context;
    this.#nowMs = context.clock.nowMs();
  }

  async run(): Promise<{ readonly summary: string; readonly counts: Record<string, number> }> {
    const kept = keptOf(await this.#context.checkpoint.load());
    const seen = await this.#look();
    if (seen.torrents > 0 && seen.seeded === 0) {
      const summary = 'Nobody seeds anything, so that nothing says which torrents were left.';
      return { summary, counts: { torrents: seen.torrents } };
    }
    await this.#leaveOut(kept);
    const { warned, removed } = await this.#look();
    await this.#askFirst(kept, warned + removed, seen.torrents);
    const counts = { noted: 0, forgotten: 0, warned: 0, removed: 0 };
    for (let after = 0; ; ) {
      this.#context.signal.throwIfAborted();
      const ids = await this.#world.page(after, PAGE_TORRENTS);
      const range = { after, through: ids.at(-1) ?? Number.MAX_SAFE_INTEGER };
      for (const [step, some] of await this.#move(ids, range)) counts[step] += some.length;
      if (ids.length === 0) break;
      after = range.through;
    }
    await this.#context.checkpoint.save({ lookedMs: this.#nowMs } satisfies Kept);
    return { summary: 'Torrents that nobody seeds are looked over.', counts };
  }

  /** What there is, and what would be done, without doing it. */
  async #look(): Promise<Record<'torrents' | 'seeded' | 'warned' | 'removed', number>> {
    const seen = { torrents: 0, seeded: 0, warned: 0, removed: 0 };
    for (let after = 0; ; ) {
      this.#context.signal.throwIfAborted();
      const ids = await this.#world.page(after, PAGE_TORRENTS);
      const last = ids.at(-1);
      if (last === undefined) return seen;
      const steps = await this.#stepsOf(this.#world.sql.read<UnseededTables>(), ids);
      seen.torrents += ids.length;
      seen.seeded += ids.filter((id) => this.#world.isSeeded(id)).length;
      seen.warned += steps.get('warned')?.length ?? 0;
      seen.removed += steps.get('removed')?.length ?? 0;
      this.#context.progress(seen.torrents, undefined, 'torrents');
      after = last;
    }
  }

  /** Time in which nobody looked, or nobody could be seen, was nobody's fault. */
  async #leaveOut({ lookedMs }: Kept): Promise<void> {
    const missedMs = this.#nowMs - lookedMs - EVERY_MS;
    if (lookedMs > 0 && missedMs > EVERY_MS) {
      await this.#world.sql.transaction<UnseededTables, void>(async (transaction) => {
        await this.#context.fenced(transaction);
        await transaction
          .updateTable('unseeded_torrent')
          .set((of) => ({
            since_ms: of('since_ms', '+', missedMs),
            warned_ms: of
              .case()
              .when('warned_ms', '=', 0)
              .then(0)
              .else(of('warned_ms', '+', missedMs))
              .end(),
          }))
          .execute();
      });
    }
  }

  /** @throws AccountingError PURGE_ABNORMAL */
  async #askFirst(kept: Kept, steps: number, torrents: number): Promise<void> {
    const { checkpoint, isByHand } = this.#context;
    const stepsMax = Math.max(STEPS_MIN, Math.floor(torrents * this.#world.settings.shareMax));
    if (steps <= stepsMax) {
      await checkpoint.save({ lookedMs: this.#nowMs } satisfies Kept);
      return;
    }
    const { asked } = kept;
    const isAsked = asked !== undefined && this.#nowMs - asked.atMs < ASKED_MS_MAX;
    // Who answers has seen so many, not any number.
    if (isAsked && isByHand === true && steps <= Math.max(asked.steps, stepsMax) * 1.1) return;
    const question = isAsked ? asked : { steps, atMs: this.#nowMs };
    const told = { steps: Math.max(question.steps, steps), atMs: question.atMs };
    await checkpoint.save({ lookedMs: this.#nowMs, asked: told } satisfies Kept);
    throw new AccountingError(
      'PURGE_ABNORMAL',
      `${steps} of ${torrents} torrents would be warned of or removed at once, expected at most ${stepsMax}`,
    );
  }

  async #stepsOf(
    executor: Kysely<UnseededTables>,
    ids: readonly number[],
  ): Promise<ReadonlyMap<UnseededStep, readonly number[]>> {
    const before = await unseededOf(executor, ids);
    const steps = new Map<UnseededStep, number[]>();
    for (const id of ids) {
      const now = { isSeeded: this.#world.isSeeded(id), nowMs: this.#nowMs };
      const step = unseededStep(before.get(id), now, this.#world.settings);
      if (step !== undefined) steps.set(step, [...(steps.get(step) ?? []), id]);
    }
    return steps;
  }

  async #move(
    ids: readonly number[],
    range: { readonly after: number; readonly through: number },
  ): Promise<ReadonlyMap<UnseededStep, readonly number[]>> {
    const { sql, effects, settings } = this.#world;
    const steps = await sql.transaction<
      UnseededTables,
      ReadonlyMap<UnseededStep, readonly number[]>
    >(async (transaction) => {
      await this.#context.fenced(transaction);
      await forgetOthers(transaction, ids, range);
      const found = await this.#stepsOf(transaction, ids);
      const before = await unseededOf(transaction, ids);
      const nowMs = this.#nowMs;
      const noted = found.get('noted') ?? [];
      if (noted.length > 0) {
        const rows = noted.map((id) => ({ torrent_id: id, since_ms: nowMs, warned_ms: 0 }));
        await transaction.insertInto('unseeded_torrent').values(rows).execute();
      }
      const gone = [...(found.get('forgotten') ?? []), ...(found.get('removed') ?? [])];
      if (gone.length > 0) {
        await transaction.deleteFrom('unseeded_torrent').where('torrent_id', 'in', gone).execute();
      }
      const warned = found.get('warned') ?? [];
      const told = transaction as unknown as Transaction<never>;
      if (warned.length > 0) {
        await transaction
          .updateTable('unseeded_torrent')
          .set({ warned_ms: nowMs })
          .where('torrent_id', 'in', warned)
          .execute();
        const removedFromMs = nowMs + settings.graceMs;
        const words = warned.map((torrentId) => ({
          ...{ torrentId, removedFromMs },
          sinceMs: before.get(torrentId)!.sinceMs,
        }));
        await effects.warn(told, words, nowMs);
      }
      const removed = found.get('removed') ?? [];
      if (removed.length > 0) await effects.remove(told, removed);
      return found;
    });
    effects.afterCommit();
    return steps;
  }
}

/** What is kept by now, or was removed by somebody, is nobody's to watch. */
async function forgetOthers(
  transaction: Transaction<UnseededTables>,
  ids: readonly number[],
  range: { readonly after: number; readonly through: number },
): Promise<void> {
  let query = transaction
    .deleteFrom('unseeded_torrent')
    .where('torrent_id', '>', range.after)
    .where('torrent_id', '<=', range.through);
  if (ids.length > 0) query = query.where('torrent_id', 'not in', ids);
  await query.execute();
}

function keptOf(value: unknown): Kept {
  if (typeof value !== 'object' || value === null || !('lookedMs' in value)) return { lookedMs: 0 };
  return value as Kept;
}
