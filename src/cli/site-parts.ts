// The site joined to the other rooms, and what commands need of it: accounts, addresses, the first
// run, and telling the trackers everything again.

import type { Logger } from '#base/logger.ts';
import type { Config } from '#config/schema.ts';
import type { Registry } from '#metrics/registry.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { enqueueAllDownloadKeys } from '#site/accounts/download-keys.ts';
import { firstRunPath } from '#site/accounts/first-run.ts';
import { type AccountsWorld, enqueueAllMembers } from '#site/accounts/members.ts';
import { Passwords } from '#site/accounts/passwords.ts';
import { findViewer } from '#site/accounts/sessions.ts';
import { enqueueStoredSettings, readSettings } from '#site/accounts/settings.ts';
import {
  type Addresses,
  type KnownAddresses,
  type MemberAnnounceUrls,
  memberAnnounceUrls,
  publicAddresses,
} from '#site/announce-urls.ts';
import { enqueueAllTorrents } from '#site/catalogue/announce-torrents.ts';
import type { ConfiguredClasses } from '#site/classes/class-book.ts';
import { sessionIn } from '#site/cookies.ts';
import { enqueueAllWindows } from '#site/credit/credit-windows.ts';
import type { Machine } from '#site/machine/machine.ts';
import { enqueueAllAddressBans } from '#site/moderation/address-bans.ts';
import { RoleBook } from '#site/roles/role-book.ts';
import { createSite, type Site } from '#site/site.ts';
import type { Swarms } from '#site/swarms.ts';
import type { SiteContent } from '#site/world.ts';
import type { Sql } from '#sql/sql.ts';
import type { Swarm } from '#swarm/swarm.ts';
import { newSwarmCounts } from '#swarm/swarm-views.ts';
import { docShelf } from './doc-shelf.ts';
import { mailerOf } from './mailer.ts';
import type { Rooms } from './rooms.ts';
import { PasswordThreads } from './threads/password-threads.ts';

export interface SiteJoints {
  readonly rooms: Rooms;
  readonly swarm: Swarm;
  readonly archivePeerId: Uint8Array;
  readonly content: SiteContent;
  readonly machine: Machine;
  readonly metrics: Registry;
  readonly logger: Logger;
}

export function buildSite(joints: SiteJoints): Site {
  const { rooms, swarm, archivePeerId, content, machine, metrics, logger } = joints;
  const { sql, clock, random, config } = rooms;
  const { mode, clientsAllowed, clientsDenied } = config.tracker;
  const mailer = mailerOf(config.site);
  const threads = new PasswordThreads(clock);
  return createSite({
    sql,
    log: rooms.log,
    clock,
    random,
    logger,
    metrics,
    config: config.site,
    deriveKey: (asked) => threads.derive(asked),
    swarms: swarmsOf(swarm, archivePeerId),
    content,
    machine,
    addresses: knownAddresses(config),
    docs: docShelf(),
    rules: config.rules,
    classes: classesOf(config),
    addressDays: config.accounting.addressDaysKept,
    bonusTokenPoints: config.accounting.bonusTokenPoints,
    jobs: rooms.jobs,
    ...(mailer === undefined ? {} : { mailer }),
    trackerDefaults: { mode, clientsAllowed, clientsDenied },
    changed: () => rooms.changed(),
    status: () => rooms.status(),
  });
}

/** The swarm's shared memory as pages ask for it: plain reads, no message to another thread. */
export function swarmsOf(swarm: Swarm, archivePeerId: Uint8Array): Swarms {
  const counts = newSwarmCounts();
  return {
    archivePeerId,
    counts(torrentId) {
      if (!swarm.counts(torrentId, counts)) return undefined;
      const { seeders, leechers, partialSeeds, completed } = counts;
      return { seeders, leechers: leechers + partialSeeds, completed };
    },
    peersOfMember: (memberId, limit) => swarm.peersOfMember(memberId, limit),
    peersOfTorrent: (torrentId, limit) => swarm.peersOfTorrent(torrentId, limit),
  };
}

export function accountsOf(rooms: Rooms): AccountsWorld {
  const { sql, clock, random } = rooms;
  const passwords = new Passwords({ random, config: rooms.config.site });
  return { sql, clock, random, passwords, changed: () => rooms.changed() };
}

export function roleBookOf({ sql, clock, config }: Rooms): RoleBook {
  return new RoleBook({ sql, clock, classes: classesOf(config) });
}

/** Whether these cookies hold the session of an administrator, now. */
export async function isAdminBy(rooms: Rooms, cookies: string): Promise<boolean> {
  const { sql, clock, random, config } = rooms;
  const world = { sql, clock, random, config: config.site };
  const viewer = await findViewer(world, sessionIn(cookies));
  return (
    viewer !== undefined && (await roleBookOf(rooms).current()).holderMay(viewer, 'administer')
  );
}

function classesOf({ accounting }: Config): ConfiguredClasses {
  return { lines: accounting.classes, graceMs: accounting.classGraceMs };
}

/** Where members reach site and tracker, as far as anybody said. */
export async function addressesOf(rooms: Rooms): Promise<Addresses> {
  const settings = await readSettings(rooms.sql.read<AccountTables>());
  return publicAddresses(settings, knownAddresses(rooms.config));
}

export async function memberAnnounceUrlsOf(
  rooms: Rooms,
  passkey: string,
): Promise<MemberAnnounceUrls> {
  return memberAnnounceUrls((await addressesOf(rooms)).tracker, passkey);
}

/** The one-time link of the first run; undefined when somebody runs this community already. */
export async function firstRunLink(rooms: Rooms): Promise<string | undefined> {
  const path = await firstRunPath(rooms);
  return path === undefined
    ? undefined
    : `${knownAddresses(rooms.config).listening.siteUrl}${path}`;
}

/** For a log and a database that went apart: the state of everything, in the outbox again. */
export async function announceEverything(sql: Sql, config: Config): Promise<void> {
  await enqueueStoredSettings(sql, config.tracker);
  await enqueueAllMembers(sql);
  await enqueueAllDownloadKeys(sql);
  await enqueueAllTorrents(sql);
  await enqueueAllWindows(sql);
  await enqueueAllAddressBans(sql);
}

export function knownAddresses(config: Config): KnownAddresses {
  const { site, tracker } = config;
  const door = `${hostOf(tracker.addresses[0] ?? '127.0.0.1')}:${tracker.port}`;
  return {
    configured: { siteUrl: site.publicUrl, tracker: tracker.publicUrls },
    former: tracker.formerUrls,
    listening: {
      siteUrl: `${site.tlsCertificateFile === '' ? 'http' : 'https'}://${hostOf(site.address)}:${site.port}`,
      tracker: {
        http: `http://${door}`,
        udp: `udp://${door}`,
        ws: tracker.webSocketConnectionsMax === 0 ? '' : `ws://${door}`,
      },
    },
  };
}

/** As a URL writes it; an address that stands for all of the machine's is named by this machine's own. */
function hostOf(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  if (address === '::') return '[::1]';
  return address.includes(':') ? `[${address}]` : address;
}
