// A storm of sign-ins beside announces: 200 members' browsers send the right password at the same moment,
// each costing an Argon2id hash as shipped, while another member's client announces at a steady rate.
// Counted are the times of the announces during the storm, and before and after it, each from the moment at
// which it was due; the aim is that the storm does not show in them. By itself:
// node -C swarmkeep-src bench/site-signin.ts

import { Agent, get, type IncomingMessage, request } from 'node:http';
import { cpus, loadavg } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { TestServer } from '#tools/e2e/server.ts';
import { cpuMicrosOf } from './server-use.ts';

const SIGN_INS = 200;
const ANNOUNCES_PER_SECOND = 50;
const QUIET_SECONDS = 10;
const PASSWORD = 'tortoise lamp river';
const STORM_MS_MAX = 900_000;
const START_MS_MAX = 120_000;

/** Prints the times of announces without the storm and during it. */
export async function run(): Promise<void> {
  const server = await TestServer.prepare({
    startMsMax: START_MS_MAX,
    settings: {
      'tracker.mode': 'members',
      // All come from one address here, as they would not in a community.
      'site.signInsPerMinute': 10_000,
      'site.signInsPerNamePerMinute': 10_000,
    },
  });
  try {
    await server.start();
    const [member] = await server.json<{ announceUrls: { http: string } }>(
      ['member', 'add', 'mina', '--password-stdin'],
      `${PASSWORD}\n`,
    );
    const url = member?.announceUrls.http ?? '';
    const browsers = await Promise.all(
      Array.from({ length: SIGN_INS }, () => visitor(server.siteUrl)),
    );
    await announces(url, () => wait(1000));
    const before = await announces(url, () => wait(QUIET_SECONDS * 1000));
    const cpuBefore = cpuMicrosOf(server.pid);
    const sinceMs = performance.now();
    let accepted = 0;
    const storm = await announces(url, async () => {
      const answers = await Promise.all(browsers.map((one) => signIn(server.siteUrl, one)));
      accepted = answers.filter((status) => status === 303).length;
    });
    const seconds = (performance.now() - sinceMs) / 1000;
    const cpuSeconds = (cpuMicrosOf(server.pid) - cpuBefore) / 1e6;
    const quiet = [...before, ...(await announces(url, () => wait(QUIET_SECONDS * 1000)))];
    say(
      `${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)} (others' work counts in all times)`,
    );
    say(`announces without a storm: ${timesOf(quiet)}`);
    say(`announces during ${SIGN_INS} sign-ins: ${timesOf(storm)}`);
    say(
      `  ${accepted} of ${SIGN_INS} signed in, in ${seconds.toFixed(1)} s and ${cpuSeconds.toFixed(1)} s of CPU`,
    );
    const ratio = percentile(storm, 99) / percentile(quiet, 99);
    say(`p99 during the storm against p99 without: ${ratio.toFixed(2)} (aim 1.1)`);
  } finally {
    await server.remove();
  }
}

interface Visitor {
  readonly cookie: string;
  readonly csrf: string;
}

async function visitor(siteUrl: string): Promise<Visitor> {
  const response = await fetch(`${siteUrl}/sign-in`);
  const text = await response.text();
  const csrf = /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? '';
  const cookie = response.headers.getSetCookie().map((one) => one.split(';')[0]);
  return { cookie: cookie.join('; '), csrf };
}

async function signIn(siteUrl: string, { cookie, csrf }: Visitor): Promise<number> {
  const body = new URLSearchParams({ csrf, name: 'mina', password: PASSWORD }).toString();
  return await new Promise((resolve, reject) => {
    const headers = { cookie, 'content-type': 'application/x-www-form-urlencoded' };
    const sent = request(`${siteUrl}/sign-in`, { method: 'POST', headers }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.setTimeout(STORM_MS_MAX, () => sent.destroy(new Error('No answer to a sign-in')));
    sent.on('error', reject).end(body);
  });
}

/** Milliseconds of every announce that was due while `during` ran. */
async function announces(url: string, during: () => Promise<unknown>): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const times: number[] = [];
  const sent: Promise<void>[] = [];
  let isOver = false;
  const done = during().finally(() => {
    isOver = true;
  });
  for (let count = 0, startMs = performance.now(); !isOver; count += 1) {
    const dueMs = startMs + (count * 1000) / ANNOUNCES_PER_SECOND;
    const early = dueMs - performance.now();
    if (early > 0) await wait(early);
    const path = `${url}?${query(count)}`;
    sent.push(
      announce(path, agent).then(() => {
        times.push(performance.now() - dueMs);
      }),
    );
  }
  await Promise.all([done, ...sent]);
  agent.destroy();
  return times;
}

function query(count: number): string {
  const hash = `%${(count % 200).toString(16).padStart(2, '0')}`.repeat(20);
  return `info_hash=${hash}&peer_id=-SK0100-benchmark-01&port=6881&uploaded=0&downloaded=0&left=1&compact=1`;
}

async function announce(url: string, agent: Agent): Promise<void> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent }, resolve).on('error', reject);
  });
  for await (const _ of answer);
  if (answer.statusCode !== 200) throw new Error(`An announce was answered ${answer.statusCode}`);
}

function timesOf(times: readonly number[]): string {
  const at = (part: number): string => `p${part} ${percentile(times, part).toFixed(1)} ms`;
  return `${at(50)}, ${at(99)}, longest ${Math.max(...times).toFixed(1)} ms (${times.length})`;
}

function percentile(times: readonly number[], part: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * part) / 100))] ?? 0;
}

function say(line: string): void {
  process.stdout.write(`site-signin: ${line}\n`);
}

if (import.meta.main) await run();
