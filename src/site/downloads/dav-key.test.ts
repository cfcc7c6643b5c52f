import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { setMayLeech } from '#site/accounts/member-rights.ts';
import {
  type AccountsWorld,
  banMember,
  resetPasskey,
  unbanMember,
} from '#site/accounts/members.ts';
import { TestSite } from '#site/test-site.ts';
import { davKey, davKeyOf, davMembers } from './dav-key.ts';

test('each WebDAV key opens for its own member alone, until anything is taken from them', async () => {
  const site = await TestSite.open();
  const { sql, clock, passwords, world: siteWorld } = site;
  const world: AccountsWorld = {
    ...{ sql, clock, passwords, random: siteWorld.random, changed: () => undefined },
  };
  const members = davMembers({ sql, onTaken: () => undefined });
  const opens = async (name: string, key: string): Promise<boolean> =>
    (await members.grantOf(name, key)) !== undefined;
  const names = ['mina', 'omar', 'ruth'];
  const keys = new Map<string, string>();
  for (const name of names) {
    await site.addMember(name);
    keys.set(name, (await davKeyOf(sql, name)) ?? '');
  }
  for (const [owner, key] of keys) {
    for (const name of names) {
      assert.equal(await opens(name, key), name === owner, `${owner}'s key as ${name}`);
    }
    const strange = ['', key.slice(1), `${key}0`, key.toUpperCase(), `${key.slice(0, -1)}g`];
    for (const wrong of strange) assert.equal(await opens(owner, wrong), false, wrong);
  }
  // What follows from no passkey opens nothing, whoever is named.
  for (const name of ['nobody', '', 'mina\0']) {
    assert.equal(await opens(name, davKey({ id: 1, passkey: '' })), false, name);
  }
  const key = keys.get('mina') ?? '';
  await banMember(world, 'mina', 'a reason');
  assert.equal(await opens('mina', key), false);
  await unbanMember(world, 'mina');
  const id = (
    await sql
      .read<AccountTables>()
      .selectFrom('member')
      .select('id')
      .where('name', '=', 'mina')
      .executeTakeFirstOrThrow()
  ).id;
  await sql.transaction<AccountTables, void>(async (transaction) => {
    await setMayLeech(transaction, [{ memberId: id, mayLeech: false }]);
  });
  assert.equal(await opens('mina', key), false);
  await sql.transaction<AccountTables, void>(async (transaction) => {
    await setMayLeech(transaction, [{ memberId: id, mayLeech: true }]);
  });
  assert.equal(await opens('mina', key), true);
  await resetPasskey(world, 'mina');
  assert.equal(await opens('mina', key), false, 'a new passkey ends it');
  assert.equal(await opens('omar', keys.get('omar') ?? ''), true, 'others keep theirs');
  await site.close();
});
