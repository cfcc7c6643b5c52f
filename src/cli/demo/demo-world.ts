// `swarmkeep demo`: fills an empty community with members, torrents and living clients, by the same
// functions that pages, commands and announces use. The clients run until the demo is closed.

import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import { below, type Random, SeededRandom } from '#base/random.ts';
import { CliError } from '#cli/errors.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import {
  type AccountsWorld,
  addMember,
  findMember,
  hasAdmin,
  type Member,
  resetPassword,
} from '#site/accounts/members.ts';
import { readSettings, writeSettings } from '#site/accounts/settings.ts';
import { torrentFile } from '#site/catalogue/torrent-file.ts';
import { addTorrent, type CatalogueWorld } from '#site/catalogue/torrents.ts';
import { Refusal } from '#site/refusal.ts';
import { DemoClient } from './demo-client.ts';
import {
  DEMO_ADMIN,
  DEMO_MEMBER,
  DEMO_MEMBERS,
  DEMO_SITE_NAME,
  DEMO_TORRENTS,
  type DemoMember,
  type DemoTorrent,
} from './demo-plan.ts';
import { GeneratedContent, makeTorrentFile } from './generated-content.ts';

/** Settings with which the demo moves within a minute; an operator's own still win. */
export const DEMO_OVERRIDES: readonly string[] = [
  'tracker.announceIntervalMs=15000',
  'swarm.announceIntervalMsMin=5000',
];

export interface DemoWorld {
  readonly clock: Clock;
  readonly accounts: AccountsWorld;
  readonly catalogue: CatalogueWorld;
  /** The tracker's HTTP door on this machine: `http://127.0.0.1:6969`. */
  readonly trackerUrl: string;
  /** Lines for the person who started it. */
  readonly say: (line: string) => void;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STEP_MS = 8000;
const TORRENTS_PER_CLIENT_MAX = 8;
const SEED = 1962;

/** Resolves when members, torrents and first clients are there: a few seconds. */
export async function runDemo(world: DemoWorld): Promise<Demo> {
  const demo = new Demo(world);
  try {
    await demo.start();
    return demo;
  } catch (error) {
    await demo.close();
    throw error;
  }
}

export class Demo {
  readonly #world: DemoWorld;
  readonly #random: Random = new SeededRandom(SEED);
  readonly #members = new Map<string, Member>();
  readonly #clients = new Map<string, DemoClient>();
  readonly #contents: GeneratedContent[] = [];
  readonly #ended = new AbortController();

  constructor(world: DemoWorld) {
    this.#world = world;
  }

  async start(): Promise<void> {
    const { accounts, say } = this.#world;
    await this.#refuseOthers();
    await accounts.sql.transaction<AccountTables, void>((transaction) =>
      writeSettings(transaction, { siteName: DEMO_SITE_NAME, signUpMode: 'invite' }),
    );
    for (const plan of DEMO_MEMBERS) {
      this.#members.set(plan.name, await this.#ensureMember(plan));
    }
    for (const plan of DEMO_MEMBERS) this.#clients.set(plan.name, await this.#openClient(plan));
    for (const plan of DEMO_TORRENTS) await this.#addTorrent(plan);
    this.#liveOn();
    say(`demo: ${this.#members.size} members, ${DEMO_TORRENTS.length} torrents, clients running`);
    for (const name of [DEMO_ADMIN, DEMO_MEMBER]) {
      const password = await this.#newPassword(name);
      say(`demo: sign in as ${name} with the password ${password}`);
    }
  }

  /** Every client leaves its swarms and closes its sockets. Idempotent. */
  async close(): Promise<void> {
    this.#ended.abort();
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
    this.#clients.clear();
  }

  /** A community of people is no place for invented members. */
  async #refuseOthers(): Promise<void> {
    const { sql } = this.#world.accounts;
    const { siteName } = await readSettings(sql.read<AccountTables>());
    if (siteName !== DEMO_SITE_NAME && (await hasAdmin(sql))) {
      const message = `The data folder holds the community "${siteName}"; the demo needs an empty one`;
      throw new CliError('CLI_REFUSED', message);
    }
  }

  async #ensureMember(plan: DemoMember): Promise<Member> {
    const { accounts } = this.#world;
    const known = await findMember(accounts.sql, plan.name);
    if (known !== undefined) return known;
    const inviter = this.#members.get(DEMO_ADMIN)?.id;
    const added = await addMember(
      { ...accounts, clock: this.#past(plan.joinedDaysAgo * DAY_MS) },
      {
        name: plan.name,
        role: plan.role,
        ...(inviter === undefined ? {} : { invitedBy: inviter }),
      },
    );
    assert(!(added instanceof Refusal), 'the demo plans members that can be added');
    return added.member;
  }

  async #newPassword(name: string): Promise<string> {
    const reset = await resetPassword(this.#world.accounts, name);
    assert(!(reset instanceof Refusal), 'a member of the demo is there');
    return reset.password ?? '';
  }

  async #openClient(plan: DemoMember): Promise<DemoClient> {
    const { clock, trackerUrl } = this.#world;
    return await DemoClient.listen({
      clock,
      random: new SeededRandom(this.#random.u32(), this.#random.u32()),
      announceUrl: `${trackerUrl}/${this.#members.get(plan.name)?.passkey}/announce`,
      peerIdPrefix: plan.peerIdPrefix,
      uploadBytesPerSecond: plan.uploadKibPerSecond * 1024,
    });
  }

  async #addTorrent(plan: DemoTorrent): Promise<void> {
    const { catalogue } = this.#world;
    const past = this.#past(plan.addedHoursAgo * HOUR_MS);
    // A date of its own would make another torrent of it when the demo is started again.
    const bytes = await makeTorrentFile(plan, Date.UTC(2025, 0, 1));
    const { title, category, tags, description } = plan;
    const result = await addTorrent(
      { ...catalogue, clock: past, changed: () => catalogue.changed() },
      {
        bytes,
        uploaderId: this.#members.get(plan.uploader)?.id ?? 0,
        title,
        category,
        tags,
        description,
        isStaff: true,
      },
    );
    assert(!(result instanceof Refusal), 'the demo plans torrents that can be added');
    const id = result.kind === 'added' ? result.torrent.id : result.existing.id;
    const stored = await torrentFile(catalogue.sql, id);
    assert(stored !== undefined, 'an added torrent has its file');
    const content = new GeneratedContent(stored);
    if (plan.seeders.length + plan.leechers.length === 0) return;
    this.#contents.push(content);
    for (const name of plan.seeders) this.#clients.get(name)?.start(content, true);
    for (const name of plan.leechers) this.#clients.get(name)?.start(content, false);
  }

  /** The same clock, some time ago: what the demo adds looks as old as the plan says. */
  #past(agoMs: number): Clock {
    const { clock } = this.#world;
    return {
      nowMs: () => clock.nowMs() - agoMs,
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, run) => clock.after(delayMs, run),
    };
  }

  /** Every few seconds somebody begins a download or leaves a swarm that is well seeded. */
  #liveOn(): void {
    if (this.#ended.signal.aborted) return;
    this.#world.clock.after(STEP_MS, () => {
      if (this.#ended.signal.aborted) return;
      this.#step();
      this.#liveOn();
    });
  }

  #step(): void {
    const clients = [...this.#clients.values()];
    const client = clients[below(this.#random, clients.length)];
    const content = this.#contents[below(this.#random, this.#contents.length)];
    const hash = content?.metainfo.infoHashV1;
    if (client === undefined || content === undefined || hash === undefined) return;
    const hex = Buffer.from(hash).toString('hex');
    const torrents = client.torrents();
    const seeders = clients.filter((one) => one.torrents().get(hex) === true).length;
    if (torrents.get(hex) === true && seeders > 2) void client.stop(hex);
    else if (!torrents.has(hex) && torrents.size < TORRENTS_PER_CLIENT_MAX && seeders > 0) {
      client.start(content, false);
    }
  }
}
