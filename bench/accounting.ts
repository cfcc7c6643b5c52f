// What accounting adds to an announce: the same UDP load against a server in private mode, where every
// announce has a passkey, makes a record, and is counted by the ledger, and against one in open mode,
// which keeps no records. Same torrents, same peers per answer, each announce with more uploaded than
// the one before; medians of five pairs of turns taken in turn. CPU time of the whole process until
// the ledger has counted what the turn made, and beside it of the tracker's thread alone.
// By itself: node -C swarmkeep-src bench/accounting.ts

import { pause, TestServer, waitFor } from '#tools/e2e/server.ts';
import type { LoadOrder } from './load/load.ts';
import { type Measured, measureInTurn, median, ratioOf, type Side } from './load/pairs.ts';
import { membersAndTorrents } from './peers/private-community.ts';

const TURNS = { turns: 5, seconds: 3, warmSeconds: 6, endsMs: 8 * 60_000 };
const PEERS = 2400;
const ORDER = {
  ...{ door: 'udp', host: '127.0.0.1', sources: 4, underWay: 32, scrapePercent: 0 },
  ...{ seederChance: 0.75, wanted: 30, seconds: 3, isClosedEach: false, ratePerSecond: 0 },
  ...{ peers: PEERS, isEven: true, isMoving: true },
} as const satisfies Partial<LoadOrder>;
const SETTINGS = {
  'swarm.announceIntervalMsMin': 0,
  'swarm.peersPerMemberTorrentMax': 64,
};
/** Longer than a record waits for its batch, and a batch for the ledger. */
const SETTLE_MS = 1500;
const COUNTED_MS_MAX = 60_000;
const AIM = 0.1;
const FLOOR = 0.2;
const TRACKER_THREADS = ['tracker', 'tracker-0', 'tracker-1'];
/** The exit code when a row does not count. */
const ROWS_MISSING = 3;

/** Prints the extra CPU of the process and of the tracker's thread, and what each thread takes. */
export async function run(): Promise<void> {
  const guarded = await TestServer.prepare({ settings: SETTINGS });
  const open = await TestServer.prepare({ settings: { ...SETTINGS, 'tracker.mode': 'open' } });
  try {
    await guarded.start();
    await open.start();
    const community = await membersAndTorrents(guarded);
    const [ours, other] = await measureInTurn(
      [
        sideOf('private', guarded, { ...ORDER, ...community }),
        sideOf('open', open, { ...ORDER, hashes: community.hashes, passkeys: [] }),
      ],
      TURNS,
    );
    print(ours!, other!);
  } finally {
    await Promise.all([guarded.remove(), open.remove()]);
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

/** Both sides are asked, so that asking falls on both. */
async function untilCounted(server: TestServer): Promise<void> {
  await pause(SETTLE_MS);
  await waitFor('the ledger to count everything', COUNTED_MS_MAX, async () => {
    const metrics = await (await fetch(`${server.siteUrl}/metrics`)).text();
    const lag = /^swarmkeep_ledger_lag_records (\d+)/m.exec(metrics)?.[1];
    return lag === '0' || lag === undefined ? true : undefined;
  });
}

function print(ours: Measured, other: Measured): void {
  const all = ratioOf(ours.turns, other.turns) - 1;
  say(`extra CPU per announce, whole process: ${verdictOf(all)}`);
  const extra = ratioOf(trackerTurns(ours), trackerTurns(other)) - 1;
  say(`extra CPU per announce, the tracker's thread alone: ${verdictOf(extra)}`);
  for (const side of [ours, other]) {
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
  return `${(extra * 100).toFixed(0)} % (aim ${AIM * 100} %, floor ${FLOOR * 100} %: ${word})`;
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
