// Roles as the operator makes and changes them, and what classes add to them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClassTables } from '#accounting/classes/class-tables.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';

const CLASSES = {
  lines: ['Member', 'Power member: given 1 GiB', 'Elite: given 10 GiB'],
  graceMs: 1000,
};

forEachDatabase((database, open) => {
  test(`${database}: a role of the operator's own is made, given, changed and removed`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    await site.addMember('mina');
    const olga = await site.signedIn('olga');
    const mina = await site.signedIn('mina');
    await olga.get('/console/roles');
    assert.match((await olga.post('/console/roles', { name: 'Ed itor' })).text, /small letters/);
    assert.match((await olga.post('/console/roles', { name: 'member' })).text, /There is a role/);
    await olga.post('/console/roles', { name: 'reader' });
    await olga.post('/console/roles/reader', { permissions: 'browse' });
    assert.equal((await mina.get('/upload')).status, 200);
    await olga.get('/console/members/mina');
    await olga.post('/console/members/mina/role', { role: 'reader' });
    assert.equal((await mina.get('/upload')).status, 403);
    assert.equal((await mina.get('/torrents')).status, 200);
    assert.equal((await mina.get('/me/sessions')).status, 200, 'an account is everybody’s');
    assert.match((await olga.get('/members/mina')).text, /Reader/);
    assert.match((await olga.get('/console/roles/reader/remove')).text, /1 member/);
    await olga.post('/console/roles/reader/remove');
    assert.equal((await mina.get('/upload')).status, 200);
    assert.match((await olga.get('/console/members/mina')).text, /"member" selected/);
    await site.close();
  });

  test(`${database}: a class adds permissions to those of the role, for it and those above it`, async () => {
    const site = await TestSite.open({ open, classes: CLASSES });
    await site.addMember('olga', 'admin');
    const { id } = await site.addMember('mina');
    const olga = await site.signedIn('olga');
    const mina = await site.signedIn('mina');
    await olga.get('/console/roles/member');
    await olga.post('/console/roles/member', { permissions: 'browse' });
    assert.match((await olga.get('/console/class-rights/2')).text, /Power member/);
    await olga.post('/console/class-rights/2', { permissions: 'invite' });
    assert.equal((await mina.get('/me/invites')).status, 403);
    for (const [name, status] of [
      ['Power member', 200],
      ['Elite', 200],
      ['Member', 403],
      ['no class any more', 403],
    ] as const) {
      await site.sql.transaction<AccountTables & ClassTables, void>(async (transaction) => {
        await transaction.deleteFrom('member_class').execute();
        const row = { member_id: id, name, since_ms: 0, warned_until_ms: 0 };
        await transaction.insertInto('member_class').values(row).execute();
      });
      assert.equal((await mina.get('/me/invites')).status, status, name);
    }
    await site.close();
  });
});

test('no form gives administration away or takes it from admins', async () => {
  const site = await TestSite.open();
  await site.addMember('olga', 'admin');
  await site.addMember('moss', 'moderator');
  const olga = await site.signedIn('olga');
  const moss = await site.signedIn('moss');
  await olga.get('/console/roles');
  await olga.post('/console/roles/moderator', { permissions: 'administer' });
  assert.equal((await moss.get('/console/roles')).status, 403);
  for (const path of ['/console/roles/admin', '/console/roles/admin/remove']) {
    assert.equal((await olga.post(path, { permissions: 'browse' })).status, 404);
  }
  assert.equal((await olga.post('/console/roles/member/remove')).status, 404);
  assert.equal((await olga.get('/console/roles')).status, 200);
  await site.close();
});

test('a role that another node changed is in force here within a second', async () => {
  const site = await TestSite.open();
  await site.addMember('olga', 'admin');
  await site.addMember('mina');
  const mina = await site.signedIn('mina');
  assert.equal((await mina.get('/upload')).status, 200);
  const value = JSON.stringify({ roles: [{ name: 'member', permissions: ['browse'] }] });
  await site.sql.transaction<AccountTables, unknown>((transaction) =>
    transaction.insertInto('setting').values({ name: 'roles', value }).execute(),
  );
  await site.clock.advance(1000);
  assert.equal((await mina.get('/upload')).status, 403);
  await site.close();
});
