// What the operator changes while the site runs, in SQL: every process of the site sees a change
// within a second, without a restart. What only a restart can change is in config.ts.

import type { Kysely, Transaction } from 'kysely';
import type { Clock } from '#base/clock.ts';
import type { Refusal } from '#site/refusal.ts';
import { refuseUnseen, type Shown, versionOf } from '#site/shown.ts';
import { lockForTransaction } from '#sql/dialect.ts';
import { enqueue } from '#sql/outbox.ts';
import type { Sql } from '#sql/sql.ts';
import type { TrackerMode } from '#wire/control-message.ts';
import type { AccountTables } from './account-tables.ts';

export const SIGN_UP_MODES = ['open', 'application', 'invite', 'closed'] as const;
export type SignUpMode = (typeof SIGN_UP_MODES)[number];
export const TRACKER_MODES = ['private', 'members', 'listed', 'open'] as const;

export interface SiteSettings {
  readonly siteName: string;
  readonly signUpMode: SignUpMode;
  /** Where members reach the site; empty when nobody said. */
  readonly publicUrl: string;
  /** The tracker's doors as members reach them; empty ones were not said. */
  readonly trackerHttpUrl: string;
  readonly trackerUdpUrl: string;
  readonly trackerWsUrl: string;
  /** Empty as long as the configuration decides. */
  readonly trackerMode: TrackerMode | '';
  /** Peer id prefixes, one a line; what they say counts once `clientsSet` is `yes`. */
  readonly clientsAllowed: string;
  readonly clientsDenied: string;
  /** Empty as long as the configuration decides. */
  readonly clientsSet: 'yes' | '';
  /** SHA-256 in hex of the open first-run link's token; empty when there is none. */
  readonly firstRunTokenHash: string;
}

export type SettingName = keyof SiteSettings;
export type SettingsChange = { readonly [Name in SettingName]?: SiteSettings[Name] };

export const SETTINGS_DEFAULT: SiteSettings = {
  siteName: 'Swarmkeep',
  signUpMode: 'invite',
  publicUrl: '',
  trackerHttpUrl: '',
  trackerUdpUrl: '',
  trackerWsUrl: '',
  trackerMode: '',
  clientsAllowed: '',
  clientsDenied: '',
  clientsSet: '',
  firstRunTokenHash: '',
};

const AGE_MS_MAX = 1000;

/** Whether those without an invite can do anything to join. */
export function isSignUpOpen({ signUpMode }: SiteSettings): boolean {
  return signUpMode === 'open' || signUpMode === 'application';
}

/** What stands under the name, for whoever keeps more there than a setting of the site is. */
export async function storedSetting(
  reading: Kysely<AccountTables>,
  name: string,
): Promise<string | undefined> {
  const row = await reading
    .selectFrom('setting')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirst();
  return row?.value;
}

export async function readSettings(reading: Kysely<AccountTables>): Promise<SiteSettings> {
  const rows = await reading.selectFrom('setting').selectAll().execute();
  const stored = new Map(rows.map((row) => [row.name, row.value]));
  const text = (name: SettingName): string => {
    const value = stored.get(name);
    return value === undefined ? SETTINGS_DEFAULT[name] : String(JSON.parse(value));
  };
  return {
    siteName: text('siteName'),
    signUpMode: oneOf(SIGN_UP_MODES, text('signUpMode')) ?? SETTINGS_DEFAULT.signUpMode,
    publicUrl: text('publicUrl'),
    trackerHttpUrl: text('trackerHttpUrl'),
    trackerUdpUrl: text('trackerUdpUrl'),
    trackerWsUrl: text('trackerWsUrl'),
    trackerMode: oneOf(TRACKER_MODES, text('trackerMode')) ?? '',
    clientsAllowed: text('clientsAllowed'),
    clientsDenied: text('clientsDenied'),
    clientsSet: text('clientsSet') === 'yes' ? 'yes' : '',
    firstRunTokenHash: text('firstRunTokenHash'),
  };
}

/** Saves what is given, in the caller's transaction. */
export async function writeSettings(
  transaction: Transaction<AccountTables>,
  change: SettingsChange,
): Promise<void> {
  for (const [name, value] of Object.entries(change)) {
    const json = JSON.stringify(value);
    await transaction
      .insertInto('setting')
      .values({ name, value: json })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: json }))
      .execute();
  }
}

/** What the tracker keeps to when the site only changes its mode. */
export interface TrackerDefaults {
  readonly mode: TrackerMode;
  readonly clientsAllowed: readonly string[];
  readonly clientsDenied: readonly string[];
}

/** Those that the console's form of settings shows. */
export const FORM_SETTINGS = [
  ...(['siteName', 'signUpMode', 'trackerMode', 'publicUrl'] as const),
  ...(['trackerHttpUrl', 'trackerUdpUrl', 'trackerWsUrl'] as const),
] as const satisfies readonly SettingName[];

export const CLIENT_SETTINGS = [
  ...(['clientsAllowed', 'clientsDenied', 'clientsSet'] as const),
] as const satisfies readonly SettingName[];

export interface SettingsSeen {
  readonly shown: Shown;
  /** Which settings the writer saw. */
  readonly names: readonly SettingName[];
}

export function settingsVersion<Name extends SettingName>(
  settings: Pick<SiteSettings, Name>,
  names: readonly Name[],
): string {
  return versionOf(names.map((name) => settings[name]));
}

export interface SettingsWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly trackerDefaults: TrackerDefaults;
  changed(): void;
}

/** Settings as every page needs them, read at most once a second. */
export class Settings {
  readonly #world: SettingsWorld;
  #current: SiteSettings | undefined;
  #readAtMs = 0;

  constructor(world: SettingsWorld) {
    this.#world = world;
  }

  async current(): Promise<SiteSettings> {
    const nowMs = this.#world.clock.monotonicMs();
    if (this.#current === undefined || nowMs - this.#readAtMs >= AGE_MS_MAX) {
      this.#current = await readSettings(this.#world.sql.read<AccountTables>());
      this.#readAtMs = nowMs;
    }
    return this.#current;
  }

  /** Saves, and tells the trackers when their mode changes; not over what the writer did not see. */
  async change(change: SettingsChange, seen?: SettingsSeen): Promise<Refusal | undefined> {
    const { sql } = this.#world;
    const unseen = await sql.transaction<AccountTables, Refusal | undefined>(
      async (transaction) => {
        await lockForTransaction(transaction, 'settings');
        const before = await readSettings(transaction);
        const refused = seen && refuseUnseen(seen.shown, settingsVersion(before, seen.names));
        if (refused !== undefined) return refused;
        await writeSettings(transaction, change);
        if (change.trackerMode !== undefined || change.clientsSet !== undefined) {
          const stored = await readSettings(transaction);
          await enqueueTrackerSettings(transaction, this.#world.trackerDefaults, stored);
        }
        return undefined;
      },
    );
    this.forget();
    if (unseen === undefined) this.#world.changed();
    return unseen;
  }

  /** The next page reads again; call it after a change in a transaction of one's own. */
  forget(): void {
    this.#current = undefined;
  }
}

/** Tells the trackers again what the site set; for when the log and the database went apart. */
export async function enqueueStoredSettings(sql: Sql, defaults: TrackerDefaults): Promise<void> {
  await sql.transaction<AccountTables, void>(async (transaction) => {
    const stored = await readSettings(transaction);
    if (stored.trackerMode !== '' || stored.clientsSet === 'yes') {
      await enqueueTrackerSettings(transaction, defaults, stored);
    }
  });
}

/** What the site did not set is the configuration's. */
async function enqueueTrackerSettings(
  transaction: Transaction<AccountTables>,
  defaults: TrackerDefaults,
  stored: SiteSettings,
): Promise<void> {
  await enqueue(transaction, {
    kind: 'settings',
    mode: stored.trackerMode === '' ? defaults.mode : stored.trackerMode,
    ...clientLists(stored, defaults),
  });
}

/** Peer id prefixes in force: the site's once it set them, else the configuration's. */
export function clientLists(
  settings: Pick<SiteSettings, 'clientsAllowed' | 'clientsDenied' | 'clientsSet'>,
  defaults: TrackerDefaults,
): Pick<TrackerDefaults, 'clientsAllowed' | 'clientsDenied'> {
  if (settings.clientsSet === '') {
    const { clientsAllowed, clientsDenied } = defaults;
    return { clientsAllowed, clientsDenied };
  }
  const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');
  return {
    clientsAllowed: lines(settings.clientsAllowed),
    clientsDenied: lines(settings.clientsDenied),
  };
}

export function oneOf<Value extends string>(
  values: readonly Value[],
  text: string,
): Value | undefined {
  return values.find((value) => value === text);
}
