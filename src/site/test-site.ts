// For tests: a site on a real database, and a browser that keeps cookies and sends forms as pages
// show them. No port is opened: requests go to `fetch`.

import assert from 'node:assert/strict';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { type RulesConfig, rulesConfig } from '#accounting/rules-config.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from '#sim/clock.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { type OpenTestSql, openMigrated, openTestSqlite } from '#sql/test-databases.ts';
import type { AddedMember } from './accounts/members.ts';
import { addMember } from './accounts/members.ts';
import { Passwords } from './accounts/passwords.ts';
import type { Torrent } from './catalogue/find-torrent.ts';
import { makeTorrent } from './catalogue/test-catalogue.ts';
import { addTorrent } from './catalogue/torrents.ts';
import type { ConfiguredClasses } from './classes/class-book.ts';
import { type SiteConfig, siteConfig } from './config.ts';
import type { DocShelf } from './docs/doc-shelf.ts';
import type { Machine } from './machine/machine.ts';
import { siteMigrations } from './migrations/all.ts';
import type { Role } from './permissions.ts';
import type { Mailer } from './recovery/mails.ts';
import { createSite, type Site } from './site.ts';
import type { SwarmCounts, SwarmPeer } from './swarms.ts';
import type { JobsView, JobView, SiteContent, SiteWorld } from './world.ts';

export const TEST_PASSWORD = 'tortoise lamp river';

/** Passwords that cost nothing; everything else as shipped. */
export function testSiteConfig(overrides: Partial<SiteConfig> = {}): SiteConfig {
  return { ...siteConfig.parse({}), passwordMemoryKib: 8, passwordPasses: 1, ...overrides };
}

export interface TestSiteOptions {
  readonly open?: OpenTestSql;
  readonly config?: Partial<SiteConfig>;
  readonly publicUrl?: string;
  readonly formerUrls?: readonly string[];
  /** Where the WebSocket door listens; closed unless given. */
  readonly webSocketUrl?: string;
  /** One class unless given. */
  readonly classes?: ConfiguredClasses;
  /** What the archive gives; nothing unless given. */
  readonly content?: (of: { readonly sql: Sql; readonly clock: SimClock }) => SiteContent;
  /** Its stores and nodes; unknown unless given. */
  readonly machine?: Machine;
  /** Takes letters; none are sent unless given. */
  readonly mailer?: Mailer;
  /** What is read at /docs; nothing unless given. */
  readonly docs?: DocShelf;
  /** As shipped, but for these. */
  readonly rules?: Partial<RulesConfig>;
}

export class TestSite {
  readonly site: Site;
  readonly world: SiteWorld;
  readonly sql: Sql;
  readonly log = new MemoryLog();
  readonly clock: SimClock;
  readonly passwords: Passwords;
  readonly lines: LogLine[];
  /** What the swarms hold; tests put peers in. */
  readonly peers: SwarmPeer[] = [];
  readonly counts = new Map<number, SwarmCounts>();
  /** What the console shows of jobs; asked for by name in `asked`. */
  readonly jobs = { views: [] as JobView[], asked: [] as string[] };
  changes = 0;

  private constructor(sql: Sql, options: TestSiteOptions) {
    this.sql = sql;
    this.clock = new SimClock();
    this.lines = [];
    this.world = {
      sql,
      log: this.log,
      clock: this.clock,
      random: new SystemRandom(),
      logger: memoryLogger(this.lines),
      metrics: new Registry(),
      config: testSiteConfig(options.config),
      swarms: {
        archivePeerId: Buffer.from('-SK0100-the-archive!'),
        counts: (torrentId) => this.counts.get(torrentId),
        peersOfMember: (memberId, limit) =>
          this.peers.filter((peer) => peer.memberId === memberId).slice(0, limit),
        peersOfTorrent: (torrentId, limit) =>
          this.peers.filter((peer) => peer.torrentId === torrentId).slice(0, limit),
      },
      addresses: {
        former: options.formerUrls ?? [],
        configured: {
          siteUrl: options.publicUrl ?? '',
          tracker: { http: '', udp: '', ws: '' },
        },
        listening: {
          siteUrl: 'http://127.0.0.1:8080',
          tracker: {
            http: 'http://127.0.0.1:6969',
            udp: 'udp://127.0.0.1:6969',
            ws: options.webSocketUrl ?? '',
          },
        },
      },
      rules: { ...rulesConfig.parse({}), ...options.rules },
      classes: options.classes ?? { lines: ['Member'], graceMs: 7 * 86_400_000 },
      addressDays: 30,
      bonusTokenPoints: 500,
      jobs: testJobs(this.jobs),
      ...(options.machine === undefined ? {} : { machine: options.machine }),
      ...(options.docs === undefined ? {} : { docs: options.docs }),
      ...(options.mailer === undefined ? {} : { mailer: options.mailer }),
      trackerDefaults: { mode: 'private', clientsAllowed: [], clientsDenied: [] },
      ...(options.content === undefined
        ? {}
        : { content: options.content({ sql, clock: this.clock }) }),
      changed: () => {
        this.changes += 1;
      },
      status: async () => ({
        startedMs: this.clock.nowMs(),
        sockets: 'node',
        ledgerLag: 0,
        controlLag: 0,
      }),
    };
    this.passwords = new Passwords(this.world);
    this.site = createSite(this.world);
  }

  static async open(options: TestSiteOptions = {}): Promise<TestSite> {
    const migrations = [
      ...sqlMigrations,
      ...accountingMigrations,
      ...archiveMigrations,
      ...siteMigrations,
    ];
    const sql = await openMigrated(options.open ?? openTestSqlite, migrations);
    const site = new TestSite(sql, options);
    await site.log.createTopic(TRANSFERS_TOPIC);
    return site;
  }

  async close(): Promise<void> {
    await this.sql.close();
  }

  /** A member with TEST_PASSWORD. */
  async addMember(name: string, role: Role = 'member'): Promise<AddedMember['member']> {
    const world = {
      sql: this.sql,
      clock: this.clock,
      random: this.world.random,
      passwords: this.passwords,
      changed: () => this.world.changed(),
    };
    const added = await addMember(world, { name, role, password: TEST_PASSWORD });
    assert.ok('member' in added, `${name} was not added`);
    return added.member;
  }

  /** A torrent of the catalogue. */
  async addTorrent(uploaderId: number, title: string, seed = 1): Promise<Torrent> {
    const added = await addTorrent(this.world, {
      bytes: await makeTorrent({ name: title, seed }),
      uploaderId,
      title,
      category: 'other',
      tags: [],
      description: '',
      isStaff: true,
    });
    assert.ok('torrent' in added, `${title} was not added`);
    return added.torrent;
  }

  browser(address = '10.0.0.1'): TestBrowser {
    return new TestBrowser(this.site, address);
  }

  /** A browser that is signed in with TEST_PASSWORD. */
  async signedIn(name: string): Promise<TestBrowser> {
    const browser = this.browser();
    await browser.get('/sign-in');
    const page = await browser.post('/sign-in', { name, password: TEST_PASSWORD });
    assert.equal(page.status, 303, `${name} could not sign in: ${page.text.slice(0, 2000)}`);
    return browser;
  }

  /** Everything that waits for the trackers, oldest first. */
  async messages(): Promise<Record<string, unknown>[]> {
    const rows = await this.sql
      .read<{ outbox: { id: number; message: string } }>()
      .selectFrom('outbox')
      .selectAll()
      .orderBy('id')
      .execute();
    return rows.map((row) => JSON.parse(row.message) as Record<string, unknown>);
  }
}

function testJobs(jobs: { readonly views: JobView[]; readonly asked: string[] }): JobsView {
  const ask = (what: string) => async (name: string) => {
    jobs.asked.push(`${what} ${name}`);
  };
  return {
    views: async () => jobs.views,
    runs: async (name) =>
      jobs.views.flatMap((view) => (view.name === name && view.lastRun ? [view.lastRun] : [])),
    request: ask('run'),
    pause: ask('pause'),
    resume: ask('resume'),
  };
}

export interface TestPage {
  readonly status: number;
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly headers: Headers;
  /** Where a redirect leads; empty when it is none. */
  readonly location: string;
}

export type TestFields = Readonly<Record<string, string | Blob>>;

export class TestBrowser {
  readonly #site: Site;
  readonly #address: string;
  readonly cookies = new Map<string, string>();
  /** Those of one part of the site alone, by its path. */
  readonly #partCookies = new Map<string, string>();
  /** The token of the page that was seen last. */
  csrf = '';
  readonly host: string;

  constructor(site: Site, address: string, host = '127.0.0.1:8080') {
    this.#site = site;
    this.#address = address;
    this.host = host;
  }

  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<TestPage> {
    return await this.send(new Request(`http://${this.host}${path}`, { headers }));
  }

  /** Sends a form with the CSRF token of the last page, unless the fields have their own. */
  async post(
    path: string,
    fields: TestFields = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<TestPage> {
    return await this.postSame(path, { csrf: anotherMask(this.csrf), ...fields }, headers);
  }

  /** The same, from the same page as the one before: what a double click sends. */
  async postSame(
    path: string,
    fields: TestFields = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<TestPage> {
    const all = { csrf: this.csrf, ...fields };
    const hasFile = Object.values(all).some((value) => typeof value !== 'string');
    const form = hasFile ? new FormData() : new URLSearchParams();
    for (const [name, value] of Object.entries(all)) {
      if (typeof value === 'string') form.append(name, value);
      else if (form instanceof FormData) form.append(name, value);
    }
    // As bytes: Node goes on writing a form that is a stream after its reader has left, and fails.
    const written = new Response(form);
    const type = written.headers.get('content-type') ?? '';
    const body = await written.arrayBuffer();
    const init = { method: 'POST', body, headers: { 'content-type': type, ...headers } };
    return await this.send(new Request(`http://${this.host}${path}`, init));
  }

  async send(request: Request): Promise<TestPage> {
    const { pathname } = new URL(request.url);
    const own = [...this.#partCookies].filter(
      ([path]) => pathname === path || pathname.startsWith(`${path}/`),
    );
    const all = [
      ...own.map(([, pair]) => pair),
      ...[...this.cookies].map((pair) => pair.join('=')),
    ];
    const jar = all.join('; ');
    if (jar !== '') request.headers.set('cookie', jar);
    request.headers.set('host', this.host);
    const response = await this.#site.fetch(request, { peerAddress: this.#address });
    for (const cookie of response.headers.getSetCookie()) this.#keep(cookie);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const text = new TextDecoder().decode(bytes);
    const csrf = /name="csrf" value="([^"]+)"/.exec(text)?.[1];
    if (csrf !== undefined) this.csrf = csrf;
    return {
      status: response.status,
      text,
      bytes,
      headers: response.headers,
      location: response.headers.get('location') ?? '',
    };
  }

  #keep(cookie: string): void {
    const [pair = '', ...attributes] = cookie.split(';');
    const path = attributes.map((one) => /^\s*path=(.+)$/i.exec(one)?.[1]).find(Boolean) ?? '/';
    if (path !== '/') {
      this.#partCookies.set(path, pair);
      return;
    }
    const [name = '', value = ''] = pair.split('=');
    const isOver = attributes.some((attribute) => /^\s*max-age=0$/i.test(attribute));
    if (isOver) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

/** The token as another page of the site would have it (csrf-token.ts). */
function anotherMask(token: string): string {
  const bytes = Buffer.from(token, 'base64url');
  const mask = new SystemRandom().bytes(bytes.byteLength / 2);
  const other = (at: number): number => mask[at % mask.byteLength] ?? 0;
  const first = mask.byteLength;
  const masked = bytes.subarray(first).map((byte, at) => byte ^ (bytes[at] ?? 0) ^ other(at));
  return Buffer.concat([mask, masked]).toString('base64url');
}
