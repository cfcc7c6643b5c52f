// The jobs of every room, and the scheduler over them. Offline a scheduler runs one job when a command
// asks for it; only a server runs those that are due.

import { type Formula, parseFormula } from '#accounting/bonus/formula.ts';
import { bonusJob } from '#accounting/jobs/bonus-job.ts';
import { cheatSignalsJob } from '#accounting/jobs/cheat-signals-job.ts';
import { promotionsJob } from '#accounting/jobs/promotions-job.ts';
import { pruneDaysJob } from '#accounting/jobs/prune-days-job.ts';
import { ratioWatchJob } from '#accounting/jobs/ratio-watch-job.ts';
import { ledgerBehind } from '#accounting/ledger/ledger-behind.ts';
import type { SignalSettings } from '#accounting/signals/signal-watch.ts';
import type { ArchiveWorld } from '#archive/archive.ts';
import { scrubJob } from '#archive/jobs/scrub-job.ts';
import { assert } from '#base/assert.ts';
import { toHex } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import type { Job } from '#base/job.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { Config } from '#config/schema.ts';
import { Scheduler } from '#jobs/scheduler.ts';
import type { RewritingLog } from '#log/rewriting-log.ts';
import type { Registry } from '#metrics/registry.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { readSettings, type SiteSettings } from '#site/accounts/settings.ts';
import { classesInForce } from '#site/classes/class-book.ts';
import { classEffects, uploadCounts } from '#site/classes/class-effects.ts';
import { expireJob } from '#site/jobs/expire-job.ts';
import { forgetAddressesJob } from '#site/jobs/forget-addresses-job.ts';
import { type HistoryWorld, historyJob } from '#site/jobs/history-job.ts';
import { purgeUnseeded } from '#site/jobs/purge-unseeded.ts';
import { reindexSearchJob } from '#site/jobs/reindex-search-job.ts';
import { swarmReadingsJob } from '#site/jobs/swarm-readings-job.ts';
import { endBansJob } from '#site/moderation/end-bans-job.ts';
import { previewsJob } from '#site/previews/previews-job.ts';
import { RuleBook } from '#site/rules/rule-book.ts';
import {
  bonusTorrents,
  judgedMembers,
  standingEffects,
  torrentCatalogue,
  torrentSizes,
} from '#site/rules/standing-effects.ts';
import { staffLogJob } from '#site/staff-log/staff-log-job.ts';
import type { Swarms } from '#site/swarms.ts';
import { tagChangesJob } from '#site/tags/tag-changes-job.ts';
import type { Sql } from '#sql/sql.ts';
import type { ArchiveEvents } from './archive-events.ts';
import { backupJobs } from './backup/backup-job.ts';
import type { DataFolder } from './data-folder.ts';
import type { Keepers } from './keepers.ts';
import { previewsWorld } from './previews.ts';
import { putFoldersJobs } from './put/put-folders-job.ts';
import type { StoreCare } from './store-care.ts';
import type { StoreRoom } from './store-room.ts';

export interface JobParts {
  readonly folder: DataFolder;
  readonly config: Config;
  readonly sql: Sql;
  readonly log: RewritingLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly store: StoreRoom;
  readonly care: StoreCare;
  readonly archive: ArchiveWorld;
  readonly events: ArchiveEvents;
  readonly keepers: Keepers;
  /** Undefined offline, where nobody knows what the swarms look like. */
  readonly swarms: Swarms | undefined;
  /** What the server says of itself; undefined offline. */
  readonly health: HistoryWorld['health'] | undefined;
  /** Tells the outbox relay that something waits for the trackers. */
  readonly changed: () => void;
}

export function buildScheduler(parts: JobParts): Scheduler {
  const { folder, config, random } = parts;
  return new Scheduler(
    {
      ...parts,
      logger: parts.logger.for('jobs'),
      config: config.jobs,
      holder: toHex(folder.secret('node-id', random)),
    },
    jobsOf(parts),
  );
}

function jobsOf(parts: JobParts): readonly Job[] {
  const { sql, clock, config, swarms, health } = parts;
  const ruleBook = new RuleBook({ sql, clock, rules: config.rules });
  return [
    ...(swarms === undefined ? [] : [swarmReadingsJob({ sql, swarms })]),
    ...(swarms === undefined || health === undefined ? [] : [historyJob({ sql, swarms, health })]),
    ...(swarms === undefined
      ? []
      : purgeUnseeded({ sql, clock, swarms, config: config.site, changed: parts.changed })),
    tagChangesJob({ sql, clock, config: config.site, changed: parts.changed }),
    expireJob({ sql, config: config.site, changed: parts.changed }),
    reindexSearchJob({ sql }),
    bonusJob({
      sql,
      members: judgedMembers(sql),
      torrents: (torrentIds) => bonusTorrents(sql, torrentIds),
      formula: checkedFormula(config.accounting.bonusFormula),
    }),
    cheatSignalsJob({
      sql,
      log: parts.log,
      sizes: (torrentIds) => torrentSizes(sql, torrentIds),
      settings: async () => signalSettings(config, await readSettings(sql.read<AccountTables>())),
    }),
    forgetAddressesJob({
      sql,
      log: parts.log,
      daysKept: config.accounting.addressDaysKept,
    }),
    promotionsJob({
      sql,
      members: judgedMembers(sql),
      recordsBehind: () => ledgerBehind(parts),
      uploads: (memberIds) => uploadCounts(sql, memberIds),
      effects: classEffects,
      rules: async () => await classesInForce({ sql, classes: configuredClasses(config) }),
    }),
    ...backupJobs({ ...parts, dataPath: parts.folder.path }, config.backup),
    ...parts.care.jobs(),
    ...putFoldersJobs(parts),
    staffLogJob({ sql, log: parts.log }),
    endBansJob({ sql, clock, changed: parts.changed }),
    scrubJob(parts.archive),
    previewsJob(previewsWorld(parts)),
    parts.keepers.job,
    pruneDaysJob({ sql, daysKept: config.accounting.daysKept }),
    ratioWatchJob({
      sql,
      torrents: torrentCatalogue(sql),
      members: judgedMembers(sql),
      recordsBehind: () => ledgerBehind(parts),
      rules: async () => (await ruleBook.current()).rules,
      effects: standingEffects(parts.changed),
      everyMs: config.rules.checkEveryMs,
    }),
  ];
}

function configuredClasses({ accounting }: Config) {
  return { lines: accounting.classes, graceMs: accounting.classGraceMs };
}

function signalSettings({ accounting, tracker }: Config, stored: SiteSettings): SignalSettings {
  const mode = stored.trackerMode === '' ? tracker.mode : stored.trackerMode;
  return {
    lineBytesPerSecondMax: accounting.signalLineBytesPerSecond,
    networksMax: accounting.signalNetworksMax,
    isEverybodyNamed: mode === 'private' || mode === 'members',
  };
}

/** The configuration was refused when it could not be read. */
function checkedFormula(text: string): Formula {
  const formula = parseFormula(text);
  assert(typeof formula !== 'string', 'the formula of the configuration was checked');
  return formula;
}
