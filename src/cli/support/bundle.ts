// What `swarmkeep support` gathers: one table of sections, each redacted (redactor.ts), for a person who
// helps an operator and has no business with the members. A section that cannot be made says why, and the
// others are there all the same.

import type { Item, Json, Output } from '#cli/command.ts';
import { examine } from '#cli/doctor/doctor.ts';
import { MIGRATIONS } from '#cli/migrations.ts';
import type { Rooms } from '#cli/rooms.ts';
import type { Config } from '#config/schema.ts';
import { copiedPositions } from '#sql/consumer-position.ts';
import { migrationStatus } from '#sql/migrate.ts';
import { damageOf, knownCorruptIn } from '#store/verify.ts';
import { knownSecrets } from './known-secrets.ts';
import { redactedLine } from './log-lines.ts';
import { machineFacts, processFacts, versionFacts } from './machine-facts.ts';
import { redactedMetrics } from './redacted-metrics.ts';
import { redactedSettings } from './redacted-settings.ts';
import { Redactor } from './redactor.ts';
import { stackSamples } from './stack-samples.ts';

export interface BundleAsked {
  readonly linesMax: number;
  readonly showsAddresses: boolean;
  /** Of a file that the server's log is kept in, for what it said before it ended. */
  readonly logLines: readonly string[];
}

const FORMAT = 1;
const RUNS_SHOWN = 3;
const LOG = 'The running server keeps its last lines; of one that is down, --log-file has them.';

/** With the rooms open: in the running server, or offline. @throws the signal's reason */
export async function gatherBundle(
  rooms: Rooms,
  asked: BundleAsked,
  output: Pick<Output, 'progress' | 'signal'>,
): Promise<Item> {
  const { config, dataPath, clock, diagnosis } = rooms;
  const { signal } = output;
  const topics = (await rooms.log.topics()).map(({ name }) => name);
  const jobs = await rooms.jobs.views().catch(() => []);
  const known = [...topics, ...jobs.map(({ name }) => name), ...Object.keys(config)];
  const redactor = redactorFor(dataPath, config, { known, asked });
  return await gathered(
    {
      about: () => about(clock.nowMs(), asked, diagnosis !== undefined),
      versions: () => ({ ...versionFacts(), database: rooms.sql.dialect }),
      machine: () => machineFacts(dataPath),
      process: () => processFacts(),
      server: async () => redactor.value(plain(await rooms.status()) ?? { running: false }),
      settings: () => redactedSettings(config, redactor),
      doctor: async () => {
        const { findings, checks } = await examine(rooms, { signal, onCheck: () => undefined });
        return { checks, findings: redactor.value(plain(findings)) };
      },
      database: () => databaseFacts(rooms),
      topics: () => Promise.all(topics.map(async (name) => plain(await rooms.log.stats(name)))),
      jobs: () => jobFacts(rooms, redactor),
      store: () => storeFacts(rooms, redactor),
      metrics: async () => redactedMetrics((await diagnosis?.metrics()) ?? '', redactor),
      stacks: () => stackSamples(clock, signal),
      log: async () => {
        const lines =
          asked.logLines.length > 0 ? asked.logLines : ((await diagnosis?.lines()) ?? []);
        return lines.slice(-asked.linesMax).map((line) => redactedLine(line, redactor));
      },
    },
    output,
  );
}

/** Without the rooms: they cannot be opened, or must not be asked. `why` is what kept them closed. */
export async function gatherOutside(
  outside: {
    readonly dataPath: string;
    readonly config: Config | undefined;
    readonly why: string;
    readonly nowMs: number;
  },
  asked: BundleAsked,
  output: Pick<Output, 'progress' | 'signal'>,
): Promise<Item> {
  const { dataPath, config, why, nowMs } = outside;
  const known = Object.keys(config ?? {});
  const redactor = redactorFor(dataPath, config, { known, asked });
  return await gathered(
    {
      about: () => about(nowMs, asked, false),
      rooms: () => ({ opened: false, why: redactor.text(why) }),
      versions: () => versionFacts(),
      machine: () => machineFacts(dataPath),
      settings: () => (config === undefined ? {} : redactedSettings(config, redactor)),
      log: () => asked.logLines.slice(-asked.linesMax).map((line) => redactedLine(line, redactor)),
    },
    output,
  );
}

type Sections = Readonly<Record<string, () => unknown>>;

async function gathered(
  sections: Sections,
  output: Pick<Output, 'progress' | 'signal'>,
): Promise<Item> {
  const bundle: Record<string, Json> = {};
  const all = Object.entries(sections);
  for (const [at, [name, make]] of all.entries()) {
    output.signal.throwIfAborted();
    try {
      bundle[name] = (await make()) as Json;
    } catch (error) {
      output.signal.throwIfAborted();
      // The message could quote anything, and a redactor may be what failed.
      bundle[name] = { failed: error instanceof Error ? error.name : 'unknown' };
    }
    output.progress({ what: 'sections', done: at + 1, total: all.length });
  }
  return bundle;
}

function redactorFor(
  dataPath: string,
  config: Config | undefined,
  more: { readonly known: readonly string[]; readonly asked: BundleAsked },
): Redactor {
  return new Redactor({
    secrets: knownSecrets(dataPath, config),
    known: more.known,
    dataPath,
    showsAddresses: more.asked.showsAddresses,
  });
}

function about(nowMs: number, asked: BundleAsked, isRunning: boolean): Item {
  return {
    format: FORMAT,
    made: new Date(nowMs).toISOString(),
    serverRuns: isRunning,
    addresses: asked.showsAddresses ? 'shown' : 'cut',
    log: LOG,
  };
}

async function databaseFacts({ sql }: Rooms): Promise<unknown> {
  const steps = await migrationStatus(sql, MIGRATIONS);
  const applied = steps.filter(({ appliedMs }) => appliedMs !== undefined);
  const positions = await copiedPositions(sql.read());
  return {
    dialect: sql.dialect,
    migrations: { known: steps.length, applied: applied.length, last: applied.at(-1)?.name ?? '' },
    positions: positions.map(({ consumer, epoch, nextOffset }) => ({
      consumer,
      epoch,
      nextOffset,
    })),
  };
}

async function jobFacts({ jobs }: Rooms, redactor: Redactor): Promise<unknown> {
  const views = await jobs.views();
  return await Promise.all(
    views.map(async ({ name, isPaused, isRequested, nextRunMs, failures, progress }) => ({
      ...{ name, isPaused, isRequested, nextRunMs, failures, progress: plain(progress ?? null) },
      runs: (await jobs.runs(name, RUNS_SHOWN)).map(({ result, summary, startedMs, endedMs }) => ({
        ...{ result, startedMs, endedMs: endedMs ?? null },
        summary: redactor.text(summary),
      })),
    })),
  );
}

async function storeFacts(rooms: Rooms, redactor: Redactor): Promise<unknown> {
  const stack = await rooms.store.stack();
  return redactor.value(
    plain({
      stores: stack.leaves.map(({ name }) => name),
      damage: damageOf(stack),
      corrupt: knownCorruptIn(stack),
      syncs: await rooms.syncs.status(),
    }),
  );
}

/** As JSON has it: what cannot be written as JSON is left out here, not in the file. */
function plain<Value>(value: Value): Json {
  return value === undefined ? null : (JSON.parse(JSON.stringify(value)) as Json);
}
