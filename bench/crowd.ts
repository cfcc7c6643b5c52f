// A crowd on the site: 500 requests at once, all the time, of which three in ten write, against the real
// server as it is shipped, on SQLite and on PostgreSQL. Counted are the times from a request to the end of
// its answer, what was refused or failed, the server's CPU time a request, its memory and, on PostgreSQL,
// its connections, which must stay within sql.connectionsMax. By itself:
// node -C swarmkeep-src bench/crowd.ts [SQLite|PostgreSQL]

import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { SeededRandom } from '#base/random.ts';
import { postgresTestUrl } from '#sql/test-databases.ts';
import { smallTorrent } from '#tools/e2e/content.ts';
import { TestServer } from '#tools/e2e/server.ts';
import { cpuMicrosOf, residentBytesOf } from './server-use.ts';

const AT_ONCE = 500;
const REQUESTS = 4000;
const WARM_REQUESTS = 500;
const WRITES_PERCENT = 30;
const MEMBERS = 8;
const TORRENTS = 12;
const PASSWORD = 'tortoise lamp river';
/** Of the torrents that tests use. */
const PIECE_HASH = '0123456789abcdefghij';
const PIECE_HASH_BYTES = 20;
const ANSWER_MS_MAX = 120_000;
const START_MS_MAX = 120_000;
const LOOK_MS = 500;

/** Prints the times of reads and writes on both databases. Exit code 1 when a request failed. */
export async function run(): Promise<void> {
  say(
    `${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)} (others' work counts in all times)`,
  );
  const only = process.argv[2];
  if (only !== 'PostgreSQL') await onDatabase('SQLite', '');
  if (only === 'SQLite') return;
  const url = await postgresTestUrl({ sharedBuffers: '128MB' });
  if (url === undefined) say('PostgreSQL: there is none on this machine');
  else await onDatabase('PostgreSQL', url);
}

async function onDatabase(name: string, url: string): Promise<void> {
  const server = await TestServer.prepare({
    startMsMax: START_MS_MAX,
    settings: {
      ...(url === '' ? {} : { 'sql.url': url }),
      // All come from one address here, as they would not in a community.
      'site.signInsPerMinute': 10_000,
      'site.passwordPasses': 1,
      'site.passwordMemoryKib': 64,
      // The crowd, and whoever looks on.
      'site.requestsMax': AT_ONCE + 10,
    },
  });
  try {
    await server.start();
    const crowd = await Crowd.gather(server);
    await crowd.ask(WARM_REQUESTS);
    const before = residentBytesOf(server.pid);
    const cpuBefore = cpuMicrosOf(server.pid);
    const watch = new Watch(server.pid, url);
    const sinceMs = performance.now();
    const told = await crowd.ask(REQUESTS);
    const seconds = (performance.now() - sinceMs) / 1000;
    const seen = await watch.end();
    const cpuMs = (cpuMicrosOf(server.pid) - cpuBefore) / 1000;
    say(`${name}: ${REQUESTS} requests, ${AT_ONCE} at once, in ${seconds.toFixed(1)} s`);
    say(`  reads ${timesOf(told.reads)}`);
    say(`  writes ${timesOf(told.writes)}`);
    say(`  errors ${told.failed}${told.failed === 0 ? '' : `: ${[...told.whys].join(', ')}`}`);
    say(`  ${(cpuMs / REQUESTS).toFixed(2)} ms of the server's CPU a request`);
    const memory = [before, seen.bytesMax].map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`);
    say(`  memory ${memory[0]} before, at most ${memory[1]} during it`);
    if (url !== '') say(`  connections to the database: at most ${seen.connectionsMax} of 16`);
    if (told.failed > 0) process.exitCode = 1;
  } finally {
    await server.remove();
  }
}

interface Told {
  readonly reads: number[];
  readonly writes: number[];
  readonly whys: Set<string>;
  failed: number;
}

interface Visitor {
  readonly cookie: string;
  readonly csrf: string;
}

class Crowd {
  readonly #siteUrl: string;
  readonly #visitors: readonly Visitor[];
  readonly #hashes: readonly string[];
  readonly #random = new SeededRandom(5, 8);

  private constructor(siteUrl: string, visitors: readonly Visitor[], hashes: readonly string[]) {
    this.#siteUrl = siteUrl;
    this.#visitors = visitors;
    this.#hashes = hashes;
  }

  /** Members who are signed in, and torrents to look at. */
  static async gather(server: TestServer): Promise<Crowd> {
    const hashes: string[] = [];
    for (let at = 0; at < TORRENTS; at++) {
      const file = join(server.dataFolder, `${at}.torrent`);
      const hash = String(at).padStart(PIECE_HASH_BYTES, '0');
      // Each of another content: one that is there already is refused.
      writeFileSync(file, smallTorrent(`torrent ${at}`).replace(PIECE_HASH, hash));
      const [added] = await server.json<{ infoHash: string }>(['torrent', 'add', file]);
      hashes.push(added?.infoHash ?? '');
    }
    const visitors: Visitor[] = [];
    for (let at = 0; at < MEMBERS; at++) {
      const name = `member${at}`;
      await server.json(['member', 'add', name, '--password-stdin'], `${PASSWORD}\n`);
      visitors.push(await signIn(server.siteUrl, name));
    }
    return new Crowd(server.siteUrl, visitors, hashes);
  }

  /** `AT_ONCE` are on their way until `requests` have been answered. */
  async ask(requests: number): Promise<Told> {
    const told: Told = { reads: [], writes: [], whys: new Set(), failed: 0 };
    // Connections of a crowd before may just be closed by the server, which lets none idle for long.
    const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
    let left = requests;
    const one = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await this.#next(told, agent);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    agent.destroy();
    return told;
  }

  async #next(told: Told, agent: Agent): Promise<void> {
    const visitor = this.#visitors[this.#below(this.#visitors.length)] as Visitor;
    const hash = this.#hashes[this.#below(this.#hashes.length)] ?? '';
    const drawn = this.#below(100);
    const isWrite = drawn < WRITES_PERCENT;
    const asked = isWrite
      ? markOf(hash, visitor, drawn % 2 === 0)
      : { path: drawn % 2 === 0 ? `/torrents/${hash}` : '/torrents' };
    const sinceMs = performance.now();
    try {
      const { status } = await send(this.#siteUrl, agent, { ...visitor, ...asked });
      (isWrite ? told.writes : told.reads).push(performance.now() - sinceMs);
      if (status === (isWrite ? 303 : 200)) return;
      told.whys.add(`status ${status}`);
    } catch (error) {
      told.whys.add(error instanceof Error ? error.message : String(error));
    }
    told.failed += 1;
  }

  #below(bound: number): number {
    return Math.floor((this.#random.u32() / 2 ** 32) * bound);
  }
}

/** A bookmark, set or taken away: comments would be refused, as so many of one member are. */
function markOf(
  hash: string,
  { csrf }: Visitor,
  isSet: boolean,
): { readonly path: string; readonly body: string } {
  const body = new URLSearchParams({ csrf, mark: isSet ? 'yes' : 'no' }).toString();
  return { path: `/torrents/${hash}/bookmark`, body };
}

async function signIn(siteUrl: string, name: string): Promise<Visitor> {
  const page = await fetch(`${siteUrl}/sign-in`);
  const before = cookiesOf(page);
  const form = { csrf: csrfOf(await page.text()), name, password: PASSWORD };
  const answer = await fetch(`${siteUrl}/sign-in`, {
    method: 'POST',
    headers: { cookie: before },
    body: new URLSearchParams(form),
    redirect: 'manual',
  });
  if (answer.status !== 303) throw new Error(`A sign-in was answered ${answer.status}`);
  const cookie = cookiesOf(answer);
  const own = await fetch(`${siteUrl}/torrents`, { headers: { cookie } });
  return { cookie, csrf: csrfOf(await own.text()) };
}

function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((one) => one.split(';')[0])
    .join('; ');
}

function csrfOf(page: string): string {
  return /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '';
}

function send(
  siteUrl: string,
  agent: Agent,
  asked: { readonly path: string; readonly cookie: string; readonly body?: string },
): Promise<{ readonly status: number }> {
  const { path, cookie, body } = asked;
  return new Promise((resolve, reject) => {
    const headers = {
      cookie,
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    };
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request(siteUrl + path, { method, headers, agent }, (answer) => {
      answer.resume().on('end', () => resolve({ status: answer.statusCode ?? 0 }));
      answer.on('error', reject);
    });
    sent.setTimeout(ANSWER_MS_MAX, () => sent.destroy(new Error('no answer')));
    sent.on('error', reject).end(body);
  });
}

/** Looks at memory and connections while the crowd asks. */
class Watch {
  readonly #pid: number;
  readonly #database: pg.Client | undefined;
  readonly #timer: NodeJS.Timeout;
  #isLooking = false;
  #looking: Promise<void> | undefined;
  #bytesMax = 0;
  #connectionsMax = 0;

  constructor(pid: number, url: string) {
    this.#pid = pid;
    this.#database = url === '' ? undefined : new pg.Client({ connectionString: url });
    void this.#database?.connect();
    this.#timer = setInterval(() => {
      if (!this.#isLooking) this.#looking = this.#look();
    }, LOOK_MS);
  }

  async end(): Promise<{ readonly bytesMax: number; readonly connectionsMax: number }> {
    clearInterval(this.#timer);
    await this.#looking;
    await this.#database?.end();
    return { bytesMax: this.#bytesMax, connectionsMax: this.#connectionsMax };
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    this.#bytesMax = Math.max(this.#bytesMax, residentBytesOf(this.#pid));
    const found = await this.#database?.query<{ count: string }>(
      "select count(*) as count from pg_stat_activity where application_name = 'swarmkeep'",
    );
    this.#connectionsMax = Math.max(this.#connectionsMax, Number(found?.rows[0]?.count ?? 0));
    this.#isLooking = false;
  }
}

function timesOf(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number): string => {
    const place = Math.min(sorted.length - 1, Math.floor((sorted.length * part) / 100));
    return `p${part} ${(sorted[place] ?? 0).toFixed(0)} ms`;
  };
  return `${at(50)}, ${at(99)}, longest ${(sorted.at(-1) ?? 0).toFixed(0)} ms (${times.length})`;
}

function say(line: string): void {
  process.stdout.write(`crowd: ${line}\n`);
}

if (import.meta.main) await run();
