import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addApiToken } from './accounts/api-tokens.ts';
import { setMemberRole } from './accounts/members.ts';
import { Refusal } from './refusal.ts';
import { RoleBook } from './roles/role-book.ts';
import { findStoreUser } from './store-access.ts';
import { TestSite } from './test-site.ts';

test('whoever has the permission `store` uses the store, and administrators alone remove from it', async () => {
  const site = await TestSite.open();
  const roleBook = new RoleBook(site.world);
  await site.addMember('olga', 'admin');
  await site.addMember('mina');
  await roleBook.save({ role: { name: 'librarian', permissions: ['browse', 'store'] } });
  const accounts = { ...site.world, passwords: site.passwords };
  await setMemberRole(accounts, 'mina', 'librarian');
  const world = { ...site.world, roleBook };
  const userOf = async (member: string) => {
    const asked = { member, label: 'sync', scopes: ['store'] as const };
    const made = await addApiToken(site.world, await roleBook.current(), asked);
    assert.ok(!(made instanceof Refusal));
    const header = (name: string) => (name === 'authorization' ? `Bearer ${made.token}` : '');
    return await findStoreUser(world, { method: 'GET', isUpgrade: false, siteHost: '', header });
  };
  assert.deepEqual(await userOf('olga'), { memberId: 1, name: 'olga', mayRemove: true });
  assert.deepEqual(await userOf('mina'), { memberId: 2, name: 'mina', mayRemove: false });
  await setMemberRole(accounts, 'mina', 'member');
  const browser = await site.signedIn('olga');
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const header = (name: string) => (name === 'cookie' ? cookie : '');
  const bySession = { method: 'GET', isUpgrade: false, siteHost: '', header };
  assert.deepEqual(await findStoreUser(world, bySession), {
    ...{ memberId: 1, name: 'olga', mayRemove: true },
  });
  await site.close();
});
