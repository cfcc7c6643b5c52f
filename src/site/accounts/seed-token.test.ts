import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestSite } from '#site/test-site.ts';
import type { AccountTables } from './account-tables.ts';
import { setMayLeech } from './member-rights.ts';
import { type AccountsWorld, banMember, resetPasskey, unbanMember } from './members.ts';
import { removeMember } from './remove-member.ts';
import { memberOfSeedToken, seedToken } from './seed-token.ts';

const HASH = 'ab'.repeat(20);

test('a web seed token is good for one member and one torrent, until anything is taken from them', async () => {
  const site = await TestSite.open();
  const { sql, clock, passwords, world: siteWorld } = site;
  const random = siteWorld.random;
  const world: AccountsWorld = { sql, clock, passwords, random, changed: () => undefined };
  const mina = await site.addMember('mina');
  const other = await site.addMember('other');
  const token = seedToken(mina, HASH);
  const holder = (text: string = token, hash: string = HASH) => memberOfSeedToken(sql, text, hash);
  assert.equal(await holder(), mina.id);
  assert.equal(await holder(token, 'cd'.repeat(20)), undefined);
  const mac = token.slice(token.indexOf('-'));
  assert.equal(await holder(`${other.id.toString(36)}${mac}`), undefined);
  assert.equal(await holder(`zzzzzzzzzzzzz${mac}`), undefined);
  assert.equal(await holder(mac), undefined);
  await banMember(world, 'mina', 'a reason');
  assert.equal(await holder(), undefined);
  await unbanMember(world, 'mina');
  assert.equal(await holder(), mina.id);
  await sql.transaction<AccountTables, void>(async (transaction) => {
    await setMayLeech(transaction, [{ memberId: mina.id, mayLeech: false }]);
  });
  assert.equal(await holder(), undefined);
  await sql.transaction<AccountTables, void>(async (transaction) => {
    await setMayLeech(transaction, [{ memberId: mina.id, mayLeech: true }]);
  });
  assert.equal(await holder(), mina.id);
  await resetPasskey(world, 'mina');
  assert.equal(await holder(), undefined);
  await removeMember(world, 'mina');
  const gone = seedToken({ id: mina.id, passkey: '' }, HASH);
  assert.equal(await holder(gone), undefined);
  await site.close();
});
