// For tests: the whole site over an empty database, and members who look at it without a browser.

import { accountingMigrations } from '#accounting/migrations/all.ts';
import { rulesConfig } from '#accounting/rules-config.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from '#sim/clock.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { addMember } from '#site/accounts/members.ts';
import { Passwords } from '#site/accounts/passwords.ts';
import { openSession } from '#site/accounts/sessions.ts';
import { siteConfig } from '#site/config.ts';
import { newCsrfToken } from '#site/csrf-token.ts';
import { siteMigrations } from '#site/migrations/all.ts';
import type { Role } from '#site/permissions.ts';
import { Refusal } from '#site/refusal.ts';
import { createSite } from '#site/site.ts';
import type { SwarmCounts, SwarmPeer, Swarms } from '#site/swarms.ts';
import type { SiteWorld } from '#site/world.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { type OpenTestSql, openMigrated } from '#sql/test-databases.ts';

const ORIGIN = 'http://127.0.0.1:8080';

/** What the tests put into the swarms. */
export class TestSwarms implements Swarms {
  readonly archivePeerId: Uint8Array = Buffer.from('-SK0100-the-archive!');
  readonly counted = new Map<number, SwarmCounts>();
  peers: SwarmPeer[] = [];

  counts(torrentId: number): SwarmCounts | undefined {
    return this.counted.get(torrentId);
  }

  peersOfMember(memberId: number): readonly SwarmPeer[] {
    return this.peers.filter((peer) => peer.memberId === memberId);
  }

  peersOfTorrent(torrentId: number): readonly SwarmPeer[] {
    return this.peers.filter((peer) => peer.torrentId === torrentId);
  }
}

type Fields = Readonly<Record<string, string | Uint8Array>>;

export interface TestVisitor {
  readonly memberId: number;
  readonly passkey: string;
  get(path: string): Promise<Response>;
  /** With the member's own CSRF token. Bytes are sent as a file. */
  post(path: string, fields?: Fields): Promise<Response>;
}

export interface TestPages {
  readonly sql: Sql;
  readonly clock: SimClock;
  readonly swarms: TestSwarms;
  fetch(request: Request): Promise<Response>;
  signIn(name: string, role?: Role): Promise<TestVisitor>;
}

const NO_JOBS: SiteWorld['jobs'] = {
  views: async () => [],
  runs: async () => [],
  request: async () => undefined,
  pause: async () => undefined,
  resume: async () => undefined,
};

export async function openPages(
  open: OpenTestSql,
  settings: Readonly<Record<string, boolean>> = {},
): Promise<TestPages> {
  const clock = new SimClock();
  const random = new SeededRandom(1);
  const rooms = [sqlMigrations, accountingMigrations, archiveMigrations, siteMigrations];
  const sql = await openMigrated(open, rooms.flat());
  // Hashing as weak as it can be: these tests are not about passwords.
  const config = siteConfig.parse({ passwordMemoryKib: 8, passwordPasses: 1, ...settings });
  const swarms = new TestSwarms();
  const none = { http: '', udp: '', ws: '' };
  const site = createSite({
    sql,
    log: new MemoryLog(),
    clock,
    random,
    logger: silentLogger,
    metrics: new Registry(),
    config,
    swarms,
    addresses: {
      configured: { siteUrl: '', tracker: none },
      listening: {
        siteUrl: ORIGIN,
        tracker: { ...none, http: 'http://127.0.0.1:6969', udp: 'udp://127.0.0.1:6969' },
      },
    },
    rules: rulesConfig.parse({}),
    classes: { lines: ['Member'], graceMs: 0 },
    addressDays: 30,
    bonusTokenPoints: 0,
    jobs: NO_JOBS,
    trackerDefaults: { mode: 'private', clientsAllowed: [], clientsDenied: [] },
    changed() {},
    status: async () => undefined,
  });
  const accounts = {
    sql,
    clock,
    random,
    passwords: new Passwords({ random, config }),
    changed() {},
  };
  return {
    sql,
    clock,
    swarms,
    fetch: (request) => site.fetch(request),
    async signIn(name, role = 'member') {
      const added = await addMember(accounts, { name, role });
      if (added instanceof Refusal) throw new Error(added.message);
      const { id, passkey } = added.member;
      const from = { address: '127.0.0.1', device: 'test' };
      const token = await openSession({ sql, clock, random, config }, id, from);
      const headers = { cookie: `swarmkeep=${token}` };
      return {
        memberId: id,
        passkey,
        get: (path) => site.fetch(new Request(ORIGIN + path, { headers })),
        async post(path, fields = {}) {
          const form = new FormData();
          form.set('csrf', newCsrfToken(token, random));
          for (const [field, value] of Object.entries(fields)) {
            if (typeof value === 'string') form.set(field, value);
            else form.set(field, new Blob([new Uint8Array(value)]), 'some.torrent');
          }
          // As a body of known length, as browsers send it.
          const encoded = new Response(form);
          const type = encoded.headers.get('content-type') ?? '';
          const request = new Request(ORIGIN + path, {
            method: 'POST',
            headers: { ...headers, 'content-type': type },
            body: await encoded.arrayBuffer(),
          });
          return await site.fetch(request);
        },
      };
    },
  };
}
