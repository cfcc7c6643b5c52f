// The load generator by itself, against any tracker: fills its swarms, measures, prints the report, and
// exits with 1 when the run does not count (nothing answered, errors, too few peers).
//
//   npm run bench -- load udp --port 6969 [--torrents 1000000] [--peers 2000000] [--pid PID]
//   npm run bench -- load http --port 6969 --closed --sources 8 --under-way 16
//   npm run bench -- load udp --port 6969 --rate 50000 --seconds 30
//   npm run bench -- load ws --port 6969 --peers 10000 --torrents 500 --under-way 64
//
// With --pid the tracker's CPU time per answer stands beside the generator's own.

import { parseArgs } from 'node:util';
import { Community, madeHashes } from './load/community.ts';
import { faultOf, Load, type LoadOrder, type LoadReport, lostOf } from './load/load.ts';
import { WsLoad, type WsLoadOrder } from './load/ws-load.ts';
import { cpuMicrosOf, residentBytesOf } from './server-use.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '6969' },
    torrents: { type: 'string', default: '1000000' },
    peers: { type: 'string', default: '2000000' },
    sources: { type: 'string', default: '4' },
    'under-way': { type: 'string', default: '32' },
    wanted: { type: 'string', default: '30' },
    'scrape-percent': { type: 'string', default: '1' },
    'seeder-chance': { type: 'string', default: '0.75' },
    passkey: { type: 'string', multiple: true, default: [] },
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '0' },
    closed: { type: 'boolean', default: false },
    offers: { type: 'string', default: '5' },
    pid: { type: 'string' },
  },
});
const [door] = positionals;
if (door !== 'udp' && door !== 'http' && door !== 'ws') {
  process.stderr.write('Name the door: load udp, load http or load ws, and its --port 6969\n');
  process.exit(2);
}

const order: LoadOrder = {
  door,
  host: values.host,
  port: Number(values.port),
  hashes: madeHashes(Number(values.torrents)),
  peers: Number(values.peers),
  sources: Number(values.sources),
  underWay: Number(values['under-way']),
  wanted: Number(values.wanted),
  scrapePercent: Number(values['scrape-percent']),
  seederChance: Number(values['seeder-chance']),
  passkeys: values.passkey,
  seconds: Number(values.seconds),
  isClosedEach: values.closed,
  ratePerSecond: Number(values.rate),
};
const pid = values.pid === undefined ? undefined : Number(values.pid);
// A web peer is a connection, and each needs others in its torrent to offer to.
const offersEach = Number(values.offers);
const wsOrder: WsLoadOrder = { ...order, door: 'ws', offersEach, isEven: true };
const load = door === 'ws' ? new WsLoad(wsOrder) : new Load(order);
try {
  await load.fill();
  const before = pid === undefined ? 0 : cpuMicrosOf(pid);
  const report = await load.measure();
  print(report, pid === undefined ? undefined : cpuMicrosOf(pid) - before);
  // Web peers are handed offers, and whether all arrived the generator counts itself.
  const peersExpected = door === 'ws' ? 0 : new Community(order).peersExpected();
  const fault = faultOf(report, peersExpected);
  if (fault !== undefined) {
    process.stderr.write(`load: does not count: ${fault}\n`);
    process.exitCode = 1;
  }
} catch (error) {
  process.stderr.write(`load: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await load.end();
}

function print(report: LoadReport, cpuMicros: number | undefined): void {
  const { losses } = report;
  const answers = Math.max(1, report.answers);
  const announces = Math.max(1, report.answers - report.scrapes);
  const isWeb = door === 'ws';
  const [what, of] = isWeb ? ['messages', 'of'] : ['answers', 'to'];
  const lines = [
    `${Math.round(report.answers / report.seconds).toLocaleString('en')} ${what}/s, ` +
      `of which ${((100 * report.scrapes) / answers).toFixed(1)} % ${of} scrapes`,
    isWeb
      ? `${report.peersInAnswers} offers arrived, and as many answers as were due`
      : `${(report.peersInAnswers / announces).toFixed(2)} peers per answer`,
    `${report.p50Ms.toFixed(2)} ms p50, ${report.p99Ms.toFixed(2)} ms p99`,
    `${report.errors} errors${report.errors > 0 ? `, the first: ${report.firstError}` : ''}`,
    `${lostOf(losses)} lost: ${losses.timeouts} not answered in time, ` +
      `${losses.refused} refused (backlog), ${losses.resets} ended early, ${losses.ports} without a port`,
    `${(report.ownCpuMicros / answers).toFixed(2)} µs of CPU per answer here`,
  ];
  if (cpuMicros !== undefined && pid !== undefined) {
    const megabytes = (residentBytesOf(pid) / 1e6).toFixed(0);
    lines.push(
      `${(cpuMicros / answers).toFixed(2)} µs of CPU per answer in the tracker, ${megabytes} MB`,
    );
  }
  for (const line of lines) process.stdout.write(`load: ${line}\n`);
}
