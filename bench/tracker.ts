// The tracker side by side with others, each row in one run on one machine: medians of five turns
// taken in turn, CPU time per answer from the process's own accounting, and beside it the peers per
// answer of both sides, because an empty answer is a cheap one. A row says what was measured, what is
// aimed at, what is still good enough (the floor) and what came out; one that cannot run says why.
// All rows take about ten minutes. By itself: node -C swarmkeep-src bench/tracker.ts [row …]

import { TestServer } from '#tools/e2e/server.ts';
import { Community, madeHashes } from './load/community.ts';
import type { LoadOrder } from './load/load.ts';
import { type Measured, measureInTurn, ratioOf, type Side } from './load/pairs.ts';
import type { WsLoadOrder } from './load/ws-load.ts';
import { startEcho, startNginx, startOpentracker, startWsTracker } from './peers/opponents.ts';
import { membersAndTorrents } from './peers/private-community.ts';

/** Since this process began. No row and no turn begins later, and each ends when somebody hangs. */
const ALL_MS_MAX = 14 * 60_000;
const TURNS = { turns: 5, seconds: 3, endsMs: ALL_MS_MAX };
/** aquatic's community: most torrents have one peer or none, most peers are in large torrents. */
const TORRENTS = 1_000_000;
const TORRENTS_SMALL = 20_000;
const WANTED = 30;
const ECHO_BATCH = 64;
/** The exit code when a row was not measured or does not count; the others are worth writing down. */
const ROWS_MISSING = 3;
/** The generator holds it on two cores that it shares with the tracker, with time to spare. */
const SWEEP_RATE_MAX = 25_000;
const WS_PEERS = 10_000;
const WS_TORRENTS = 500;

const ORDER: Omit<LoadOrder, 'hashes' | 'peers' | 'port'> = {
  ...{ door: 'udp', host: '127.0.0.1', sources: 4, underWay: 32, scrapePercent: 1, passkeys: [] },
  ...{ seederChance: 0.75, wanted: WANTED, seconds: 3, isClosedEach: false, ratePerSecond: 0 },
};

const ROWS: Readonly<Record<string, () => Promise<void>>> = {
  udp: measureUdp,
  workers: measureWorkers,
  'http-kept': measureHttpKept,
  'http-closed': measureHttpClosed,
  websocket: measureWebSocket,
  node: measureNode,
  sweep: measureSweep,
};

/** Runs the rows that are named, else all; a row that fails does not end the others. */
export async function run(names: readonly string[] = process.argv.slice(2)): Promise<void> {
  for (const [name, row] of Object.entries(ROWS)) {
    if (names.length > 0 && !names.includes(name)) continue;
    if (performance.now() > ALL_MS_MAX) {
      say(`${name}: not measured: the time for all rows is over`);
      process.exitCode = ROWS_MISSING;
      continue;
    }
    try {
      await row();
    } catch (error) {
      const why = error instanceof Error ? error.message.split('\n', 2).join(' ') : String(error);
      // Said in the table; the other rows are worth writing down all the same.
      say(`${name}: not measured: ${why}`);
    }
  }
}

async function measureUdp(): Promise<void> {
  const hashes = madeHashes(TORRENTS);
  const peers = 2 * TORRENTS;
  const order = { ...ORDER, hashes, peers };
  const community = new Community(order);
  const all = { ...order, wanted: wantedByAll(community) };
  const answerBytes = 20 + 6 * Math.round(community.peersExpected());
  const server = await startOpen(TORRENTS);
  const opentracker = await startOpentracker(hashes);
  const echo = await startEcho(answerBytes, ECHO_BATCH);
  try {
    const [ours, theirs, limit] = await measureInTurn(
      [
        sideOf(server, order),
        { name: 'opentracker', pid: opentracker.pid, order: { ...all, port: opentracker.port } },
        { name: 'echo', pid: echo.pid, order: { ...order, port: echo.port }, isConstant: true },
      ],
      TURNS,
    );
    compare('UDP announce, 1M torrents, 2M peers', [ours!, theirs!], { aim: 0.7, floor: 0.9 });
    const rate = ours!.answersPerSecond / theirs!.answersPerSecond;
    say(`  answers/s against opentracker: ${rate.toFixed(2)} (aim 1.30, floor 1.00)`);
    compare('the same against the limit', [ours!, limit!], { aim: 1.5, floor: 2 });
  } finally {
    await Promise.all([server.remove(), opentracker.end(), echo.end()]);
  }
}

/** opentracker gives seeders other seeders too; it is asked for so many that both give as many. */
function wantedByAll(community: Community): number {
  const given = community.peersExpected();
  const distance = (wanted: number): number => Math.abs(community.peersExpected(wanted, 0) - given);
  let best = WANTED;
  for (let wanted = WANTED; wanted > 0; wanted--)
    if (distance(wanted) < distance(best)) best = wanted;
  return best;
}

async function measureWorkers(): Promise<void> {
  const order = { ...ORDER, hashes: madeHashes(TORRENTS), peers: 2 * TORRENTS, sources: 8 };
  const two = await startOpen(TORRENTS, { 'tracker.workers': 2 });
  const one = await startOpen(TORRENTS);
  try {
    const [twoWorkers, oneWorker] = await measureInTurn(
      [
        { ...sideOf(two, order), name: 'two workers' },
        { ...sideOf(one, order), name: 'one worker' },
      ],
      TURNS,
    );
    const rows = [twoWorkers!, oneWorker!] as const;
    compare('UDP announce, two workers and the loader on two cores', rows, { aim: 1, floor: 1.1 });
  } finally {
    await Promise.all([two.remove(), one.remove()]);
  }
}

async function measureHttpKept(): Promise<void> {
  const settings = {
    'swarm.announceIntervalMsMin': 0,
    'swarm.peersPerMemberTorrentMax': 64,
  };
  const server = await TestServer.prepare({ settings });
  try {
    await server.start();
    const community = await membersAndTorrents(server);
    const http = { ...ORDER, door: 'http', underWay: 16, scrapePercent: 0, ...community } as const;
    const order = { ...http, peers: 2400, isEven: true };
    const bodyBytes = 150 + 6 * Math.round(new Community(order).peersExpected());
    const nginx = await startNginx(bodyBytes);
    try {
      const rows = await measureInTurn(
        [
          sideOf(server, order),
          {
            name: 'nginx',
            pid: nginx.pid,
            order: { ...order, port: nginx.port },
            isConstant: true,
          },
        ],
        // The engine compiles and recompiles for some seconds, in threads that count as the server's.
        // More and shorter turns, because the other threads of a server work by the clock.
        { ...TURNS, turns: 11, seconds: 2, warmSeconds: 8 },
      );
      const both = [rows[0]!, rows[1]!] as const;
      compare('HTTP announce, kept alive, private', both, { aim: 1, floor: 1.3 });
    } finally {
      await nginx.end();
    }
  } finally {
    await server.remove();
  }
}

async function measureHttpClosed(): Promise<void> {
  const hashes = madeHashes(TORRENTS_SMALL);
  const http = { door: 'http', underWay: 8, scrapePercent: 0, isClosedEach: true } as const;
  const order = { ...ORDER, ...http, hashes, peers: 2 * TORRENTS_SMALL, sources: 8 };
  const all = { ...order, wanted: wantedByAll(new Community(order)) };
  const server = await startOpen(TORRENTS_SMALL);
  const opentracker = await startOpentracker(hashes);
  try {
    const rows = await measureInTurn(
      [
        sideOf(server, order),
        { name: 'opentracker', pid: opentracker.pid, order: { ...all, port: opentracker.port } },
      ],
      TURNS,
    );
    const both = [rows[0]!, rows[1]!] as const;
    compare('HTTP announce, a connection for each', both, { aim: 0.85, floor: 1 });
  } finally {
    await Promise.all([server.remove(), opentracker.end()]);
  }
}

/** 10,000 web peers; each side relays the same offers and answers, so messages are compared. */
async function measureWebSocket(): Promise<void> {
  const hashes = madeHashes(WS_TORRENTS);
  const order: Omit<WsLoadOrder, 'port'> = {
    ...ORDER,
    ...{ door: 'ws', hashes, peers: WS_PEERS, isEven: true, offersEach: 5, underWay: 64 },
  };
  const server = await startOpen(WS_TORRENTS, {
    'swarm.peersMax': 2 * WS_PEERS,
    'swarm.announceIntervalMsMin': 0,
    'tracker.httpConnectionsMax': 2 * WS_PEERS,
    'tracker.webSocketConnectionsMax': 2 * WS_PEERS,
  });
  const other = await startWsTracker();
  try {
    const ours = { ...sideOf(server, order), isConstant: true };
    const theirs = { ...order, port: other.port };
    const rows = await measureInTurn(
      [ours, { name: 'bittorrent-tracker', pid: other.pid, order: theirs, isConstant: true }],
      // A relayed message runs through much code, and few messages a second pass: warm takes longer.
      { ...TURNS, warmSeconds: 12 },
    );
    const [mine, its] = [rows[0]!, rows[1]!];
    const times = ratioOf(its.turns, mine.turns);
    const word = times >= 8 ? 'aim reached' : times >= 4 ? 'floor reached' : 'MISSED';
    say(
      `WebSocket, ${WS_PEERS.toLocaleString('en')} connections, 5 offers each, answers relayed: ` +
        `${times.toFixed(2)} times the messages per CPU second (aim 8, floor 4: ${word})`,
    );
    for (const side of [mine, its]) say(`  ${lineOf(side)}`);
  } finally {
    await Promise.all([server.remove(), other.end()]);
  }
}

async function measureNode(): Promise<void> {
  const order = { ...ORDER, hashes: madeHashes(TORRENTS_SMALL), peers: 2 * TORRENTS_SMALL };
  const http = { ...order, door: 'http', underWay: 16, scrapePercent: 0 } as const;
  const node = await startOpen(TORRENTS_SMALL, { 'tracker.sockets': 'node' });
  const batched = await startOpen(TORRENTS_SMALL);
  try {
    for (const [what, each] of [
      ['UDP', order],
      ['HTTP kept alive', http],
    ] as const) {
      const rows = await measureInTurn(
        [
          { ...sideOf(node, each), name: "Node's sockets" },
          { ...sideOf(batched, each), name: 'batched' },
        ],
        TURNS,
      );
      compare(`${what}, without the addon and with it`, [rows[0]!, rows[1]!], undefined);
    }
  } finally {
    await Promise.all([node.remove(), batched.remove()]);
  }
}

async function measureSweep(): Promise<void> {
  const hashes = madeHashes(TORRENTS_SMALL * 5);
  // At a fixed rate requests must not wait for each other.
  const order = { ...ORDER, hashes, peers: TORRENTS_SMALL * 10, underWay: 512 };
  const often = { 'tracker.sweepIntervalMs': 10 };
  const never = { 'tracker.sweepIntervalMs': 600_000 };
  const sweeping = await startOpen(TORRENTS_SMALL * 5, often);
  const still = await startOpen(TORRENTS_SMALL * 5, never);
  try {
    const full = await measureInTurn([sideOf(still, order)], {
      ...TURNS,
      turns: 3,
      seconds: 1,
    });
    const ratePerSecond = Math.round(Math.min(full[0]!.answersPerSecond / 2, SWEEP_RATE_MAX));
    const [withSweep, without] = await measureInTurn(
      [
        { ...sideOf(sweeping, order), name: 'sweep without pause' },
        { ...sideOf(still, order), name: 'no sweep' },
      ],
      { ...TURNS, turns: 11, seconds: 2, ratePerSecond },
    );
    const ratio = ratioOf(withSweep!.p99Turns, without!.p99Turns);
    const verdict = verdictOf(ratio, { aim: 1.2, floor: 2 });
    const rate = ratePerSecond.toLocaleString('en');
    say(
      `p99 at ${rate} requests/s, at most half of the full rate, while the sweep runs: ${verdict}`,
    );
    for (const each of [withSweep!, without!]) say(`  ${lineOf(each)}`);
  } finally {
    await Promise.all([sweeping.remove(), still.remove()]);
  }
}

async function startOpen(
  torrents: number,
  more: Readonly<Record<string, string | number>> = {},
): Promise<TestServer> {
  const server = await TestServer.prepare({
    settings: {
      'tracker.mode': 'open',
      'swarm.torrentsMax': torrents + 64,
      'swarm.peersMax': 2 * torrents + 64,
      ...more,
    },
  });
  try {
    await server.start();
  } catch (error) {
    await server.remove();
    throw error;
  }
  return server;
}

function sideOf(server: TestServer, order: Omit<LoadOrder, 'port'>): Side {
  return { name: 'swarmkeep', pid: server.pid, order: { ...order, port: server.trackerPort } };
}

interface Bar {
  readonly aim: number;
  readonly floor: number;
}

function compare(what: string, sides: readonly [Measured, Measured], bar: Bar | undefined): void {
  const ratio = ratioOf(sides[0].turns, sides[1].turns);
  say(`${what}: ${verdictOf(ratio, bar)} of the CPU time per answer`);
  for (const side of sides) say(`  ${lineOf(side)}`);
}

function verdictOf(ratio: number, bar: Bar | undefined): string {
  if (bar === undefined) return ratio.toFixed(2);
  const { aim, floor } = bar;
  const word = ratio <= aim ? 'aim reached' : ratio <= floor ? 'floor reached' : 'MISSED';
  return `${ratio.toFixed(2)} (aim ${aim.toFixed(2)}, floor ${floor.toFixed(2)}: ${word})`;
}

function lineOf(side: Measured): string {
  const parts = [
    `${side.name}: ${side.microsPerAnswer.toFixed(2)} µs of CPU per answer`,
    `${Math.round(side.answersPerSecond).toLocaleString('en')} answers/s`,
    `${side.peersPerAnswer.toFixed(2)} peers per answer`,
    `p99 ${side.p99Ms.toFixed(2)} ms`,
    `${side.lost} lost`,
    `loader ${side.loaderMicros.toFixed(2)} µs`,
  ];
  if (side.fault !== undefined) {
    parts.push(`DOES NOT COUNT: ${side.fault}`);
    process.exitCode = ROWS_MISSING;
  }
  return parts.join(', ');
}

function say(line: string): void {
  process.stdout.write(`tracker: ${line}\n`);
}

if (import.meta.main) await run();
