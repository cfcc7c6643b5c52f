// The rules that members are judged by: those of the configuration, and over them what the operator
// changed on the site, kept in SQL and in force from the next judgement on, without a restart.

import type { Kysely } from 'kysely';
import { type RulesConfig, rulesConfig } from '#accounting/rules-config.ts';
import { makeStrategy } from '#accounting/strategies/make-strategy.ts';
import type { Strategy } from '#accounting/strategies/strategy.ts';
import type { Clock } from '#base/clock.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { storedSetting } from '#site/accounts/settings.ts';
import type { Refusal } from '#site/refusal.ts';
import { refuseUnseen, type Shown, versionOf } from '#site/shown.ts';
import { lockForTransaction } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';

const SETTING = 'rules';
const AGE_MS_MAX = 1000;

export interface RuleBookWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  /** Of the configuration. */
  readonly rules: RulesConfig;
}

export interface RulesInForce {
  readonly rules: RulesConfig;
  readonly strategy: Strategy;
  /** False when they are the configuration's. */
  readonly isFromSite: boolean;
  readonly version: string;
}

export class RuleBook {
  readonly #world: RuleBookWorld;
  #current: RulesInForce | undefined;
  #readAtMs = 0;

  constructor(world: RuleBookWorld) {
    this.#world = world;
  }

  get configured(): RulesConfig {
    return this.#world.rules;
  }

  /** Read at most once a second. */
  async current(): Promise<RulesInForce> {
    const nowMs = this.#world.clock.monotonicMs();
    if (this.#current === undefined || nowMs - this.#readAtMs >= AGE_MS_MAX) {
      this.#current = await this.#read();
      this.#readAtMs = nowMs;
    }
    return this.#current;
  }

  /**
   * In force from the next judgement on, in every process of the site within a second; not over rules that
   * the writer did not see.
   */
  async change(rules: RulesConfig, shown: Shown = []): Promise<Refusal | undefined> {
    const value = JSON.stringify(rules);
    const { sql } = this.#world;
    const unseen = await sql.transaction<AccountTables, Refusal | undefined>(
      async (transaction) => {
        await lockForTransaction(transaction, 'settings');
        const refused = refuseUnseen(shown, versionOf([await storedValue(transaction)]));
        if (refused !== undefined) return refused;
        await transaction
          .insertInto('setting')
          .values({ name: SETTING, value })
          .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
          .execute();
        return undefined;
      },
    );
    this.#current = undefined;
    return unseen;
  }

  /** The configuration's rules hold again. */
  async reset(): Promise<void> {
    await this.#world.sql.transaction<AccountTables, void>(async (transaction) => {
      await transaction.deleteFrom('setting').where('name', '=', SETTING).execute();
    });
    this.#current = undefined;
  }

  async #read(): Promise<RulesInForce> {
    const value = await storedValue(this.#world.sql.read<AccountTables>());
    const stored = value === '' ? undefined : storedRules(value, this.#world.rules);
    const rules = stored ?? this.#world.rules;
    const version = versionOf([value]);
    return { rules, strategy: makeStrategy(rules), isFromSite: stored !== undefined, version };
  }
}

/** Empty while the configuration's hold. */
async function storedValue(reading: Kysely<AccountTables>): Promise<string> {
  return (await storedSetting(reading, SETTING)) ?? '';
}

/** What an older or newer version wrote: fields that it did not know are the configuration's. */
function storedRules(json: string, configured: RulesConfig): RulesConfig | undefined {
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null) return undefined;
  const names = Object.keys(configured);
  const known = Object.entries(value).filter(([name]) => names.includes(name));
  const parsed = rulesConfig.safeParse({ ...configured, ...Object.fromEntries(known) });
  return parsed.success ? parsed.data : undefined;
}
