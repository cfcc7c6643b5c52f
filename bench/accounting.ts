// What accounting adds to an announce: the same UDP load against a server in private mode, where every
// announce has a passkey, makes a record, and is counted by the ledger, and against one in open mode,
// which keeps no records. Same torrents, same peers per answer, each announce with more uploaded than
// the one before; medians of five rounds of turns taken in turn. CPU time of the whole process until
// the ledger has written every record of the turn into SQL, and beside it of the tracker's thread alone.
//
// Private mode would cost something if nothing were accounted: the passkey, whose it is, the member's
// other clients in the torrent. A third server, private too, hears announces that repeat what they said
// before: they are answered in full and make no record. What lies between it and the first is the record
// and all that follows from it: the queue, the log, the ledger, the disk.
// By itself: node -C swarmkeep-src bench/accounting.ts

import { pause, TestServer, waitFor } from '#tools/e2e/server.ts';
import type { LoadOrder } from './load/load.ts';
import { type Measured, measureInTurn, median, ratioOf, type Side } from './load/pairs.ts';
import { membersAndTorrents } from './peers/private-community.ts';

/**
 * The ledger's own code runs seldom, and some of it only when a turn begins or ends: it takes a while and
 * several turns until the compiler is done with it. Every server has the same ones first, which do not
 * count. A turn is long against what the engine does once after each rest, to collect what it let lie.
 */
const TURNS = { turns: 5, seconds: 10, warmTurns: 3, warmSeconds: 10, endsMs: 9 * 60_000 };
const PEERS = 2400;
const ORDER = {
  ...{ door: 'udp', host: '127.0.0.1', sources: 4, underWay: 32, scrapePercent: 0 },
  ...{ seederChance: 0.75, wanted: 30, seconds: 3, isClosedEach: false, ratePerSecond: 0 },
  ...{ peers: PEERS, isEven: true, isSteady: true },
} as const satisfies Partial<LoadOrder>;
const SETTINGS = {
  'swarm.announceIntervalMsMin': 0,
  'swarm.peersPerMemberTorrentMax': 64,
};
/**
 * Longer than a record waits for its batch (1 s), and under load a batch for the ledger (2 s): then every
 * server is asked once whether all is counted, where asking costs as much as a thousand records do.
 */
const SETTLE_MS = 3500;
const COUNTED_MS_MAX = 60_000;
const AIM = 0.1;
const FLOOR = 0.2;
const TRACKER_THREADS = ['tracker', 'tracker-0', 'tracker-1'];
/** The exit code when a row does not count. */
const ROWS_MISSING = 3;

/** Prints the extra CPU of the process and of the tracker's thread, and what each thread takes. */
export async function run(): Promise<void> {
  const guarded = await TestServer.prepare({ settings: SETTINGS });
  const quiet = await TestServer.prepare({ settings: SETTINGS });
  const open = await TestServer.prepare({ settings: { ...SETTINGS, 'tracker.mode': 'open' } });
  try {
    for (const server of [guarded, quiet, open]) await server.start();
    const community = await membersAndTorrents(guarded);
    const silent = await membersAndTorrents(quiet);
    const { hashes } = community;
    const [named, ours, other] = await measureInTurn(
      [
        sideOf('private, repeating itself', quiet, { ...ORDER, ...silent }),
        sideOf('private', guarded, { ...ORDER, ...community, isMoving: true }),
        sideOf('open', open, { ...ORDER, hashes, passkeys: [], isMoving: true }),
      ],
      TURNS,
    );
    print({ ours: ours!, named: named!, other: other! });
    sayCounted(await countsOf(guarded), await countsOf(quiet));
  } finally {
    await Promise.all([guarded.remove(), quiet.remove(), open.remove()]);
  }
}

function sideOf(name: string, server: TestServer, order: Omit<LoadOrder, 'port'>): Side {
  return {
    name,
    pid: server.pid,
    order: { ...order, port: server.trackerPort },
    settled: () => untilCounted(server),
  };
}

/** All sides are asked, so that asking falls on each. */
async function untilCounted(server: TestServer): Promise<void> {
  await pause(SETTLE_MS);
  await waitFor('the ledger to count everything', COUNTED_MS_MAX, async () => {
    const { made, counted } = await countsOf(server);
    return made === counted ? true : undefined;
  });
}

interface Counts {
  /** Records on disk, and those of them that SQL has. */
  readonly made: number;
  readonly counted: number;
  readonly transactions: number;
}

/** Since the server's start; all 0 where no records are kept. */
async function countsOf(server: TestServer): Promise<Counts> {
  const metrics = await (await fetch(`${server.siteUrl}/metrics`)).text();
  const metricOf = (name: string): number =>
    Number(new RegExp(`^${name} (\\d+)`, 'm').exec(metrics)?.[1] ?? 0);
  return {
    made: metricOf('swarmkeep_transfer_records_total'),
    counted: metricOf('swarmkeep_ledger_records_total'),
    transactions: metricOf('swarmkeep_ledger_batch_records_count'),
  };
}

function sayCounted({ made, counted, transactions }: Counts, quiet: Counts): void {
  const each = Math.round(counted / Math.max(1, transactions)).toLocaleString('en');
  say(
    `  the ledger wrote ${counted.toLocaleString('en')} of ${made.toLocaleString('en')} records, ${each} in a transaction; each turn ends when it has all`,
  );
  say(
    `  announces that repeat themselves made ${quiet.made.toLocaleString('en')} records for ${PEERS.toLocaleString('en')} peers`,
  );
}

interface Sides {
  readonly ours: Measured;
  readonly named: Measured;
  readonly other: Measured;
}

function print({ ours, named, other }: Sides): void {
  const all = ratioOf(ours.turns, other.turns) - 1;
  say(`extra CPU per announce, whole process: ${verdictOf(all)}`);
  const extra = ratioOf(trackerTurns(ours), trackerTurns(other)) - 1;
  say(`extra CPU per announce, the tracker's thread alone: ${verdictOf(extra)}`);
  const recording = ratioOf(ours.turns, named.turns) - 1;
  const naming = ratioOf(named.turns, other.turns) - 1;
  say(
    `  private mode without records over open mode ${percent(naming)}, records and all behind them over that ${percent(recording)}`,
  );
  for (const side of [ours, named, other]) {
    const threads = threadsOf(side)
      .map(([name, micros]) => `${name} ${micros.toFixed(2)}`)
      .join(', ');
    const parts = [
      `${side.name}: ${side.microsPerAnswer.toFixed(2)} µs of CPU per answer (${threads})`,
      `${Math.round(side.answersPerSecond).toLocaleString('en')} answers/s`,
      `${side.peersPerAnswer.toFixed(2)} peers per answer`,
      `${side.lost} lost`,
    ];
    if (side.fault !== undefined) {
      parts.push(`DOES NOT COUNT: ${side.fault}`);
      process.exitCode = ROWS_MISSING;
    }
    say(`  ${parts.join(', ')}`);
  }
}

function verdictOf(extra: number): string {
  const word = extra <= AIM ? 'aim reached' : extra <= FLOOR ? 'floor reached' : 'MISSED';
  return `${percent(extra)} (aim ${AIM * 100} %, floor ${FLOOR * 100} %: ${word})`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`;
}

function trackerTurns(side: Measured): number[] {
  return side.threadTurns.map((threads) =>
    TRACKER_THREADS.reduce((sum, name) => sum + (threads.get(name) ?? 0), 0),
  );
}

/** Medians over the turns; what takes less than a hundredth of a microsecond is left out. */
function threadsOf(side: Measured): [string, number][] {
  const names = new Set(side.threadTurns.flatMap((threads) => [...threads.keys()]));
  return [...names]
    .map((name): [string, number] => [
      name,
      median(side.threadTurns.map((threads) => threads.get(name) ?? 0)),
    ])
    .filter(([, micros]) => micros >= 0.01)
    .sort(([, one], [, other]) => other - one);
}

function say(line: string): void {
  process.stdout.write(`accounting: ${line}\n`);
}

if (import.meta.main) await run();
