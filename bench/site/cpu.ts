// What requests cost, one after the other in one thread with SQLite in it: the CPU time of each, which
// holds on a machine that does other things, too. Takes the folder of a community that bench/site.ts made:
// node -C swarmkeep-src bench/site/cpu.ts FOLDER TORRENTS [COUNT]

import { SeededRandom, SystemRandom } from '#base/random.ts';
import { openSession } from '#site/accounts/sessions.ts';
import { openPages } from '#site/catalogue/test-pages.ts';
import { siteConfig } from '#site/config.ts';
import { openSql } from '#sql/open.ts';
import { communityWords } from './community.ts';
import { pageKinds } from './kinds.ts';

const ORIGIN = 'http://127.0.0.1:8080';
const SEED = 1;
const WARM_UP = 20;

const [folder = '', torrents = '20000', count = '60'] = process.argv.slice(2);
const sql = await openSql({ url: '', folder, threads: false });
const pages = await openPages(async () => sql);
const world = {
  ...{ sql, clock: pages.clock, random: new SystemRandom() },
  config: siteConfig.parse({}),
};
const token = await openSession(world, 1, { address: '127.0.0.1', device: 'bench' });
const headers = { cookie: `swarmkeep=${token}` };

/** Milliseconds of this thread. */
async function costOf(path: string): Promise<number> {
  const before = process.threadCpuUsage();
  let response = await pages.fetch(new Request(ORIGIN + path, { headers }));
  const location = response.headers.get('location');
  if (location !== null) response = await pages.fetch(new Request(ORIGIN + location, { headers }));
  if (response.status !== 200) throw new Error(`${path} was answered ${response.status}`);
  await response.text();
  const spent = process.threadCpuUsage(before);
  return (spent.user + spent.system) / 1000;
}

const community = communityWords(SEED);
for (const [kind, makePath] of Object.entries(pageKinds(Number(torrents)))) {
  const random = new SeededRandom(SEED, 3);
  for (let at = 0; at < WARM_UP; at++) await costOf(makePath(random, community));
  const costs: { readonly ms: number; readonly path: string }[] = [];
  for (let at = 0; at < Number(count); at++) {
    const path = makePath(random, community);
    costs.push({ ms: await costOf(path), path });
  }
  costs.sort((a, b) => a.ms - b.ms);
  const at = (part: number) => costs[Math.min(costs.length - 1, Math.floor(costs.length * part))];
  const words = [0.5, 0.95, 0.99].map((part) => `p${part * 100} ${at(part)?.ms.toFixed(1)} ms`);
  process.stdout.write(`${kind}: ${words.join(', ')} of CPU; dearest ${at(1)?.path}\n`);
}
await sql.close();
