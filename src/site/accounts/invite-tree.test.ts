// The tree of invites as members and the staff see it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import type { AccountTables } from './account-tables.ts';
import { inviteTree, TREE_MEMBERS_MAX } from './invite-tree.ts';

async function invitedBy(site: TestSite, name: string, by: number): Promise<number> {
  const { id } = await site.addMember(name);
  await site.sql.transaction<AccountTables, unknown>((transaction) =>
    transaction.updateTable('member').set({ invited_by: by }).where('id', '=', id).execute(),
  );
  return id;
}

forEachDatabase((database, open) => {
  test(`${database}: a tree has everybody who came by a member, at any depth, and nobody else`, async () => {
    const site = await TestSite.open({ open });
    const olga = await site.addMember('olga', 'admin');
    const mina = await invitedBy(site, 'mina', olga.id);
    const pavel = await invitedBy(site, 'pavel', mina);
    await invitedBy(site, 'vera', mina);
    await invitedBy(site, 'anton', pavel);
    await site.addMember('stranger');
    const tree = await inviteTree(site.sql, olga.id);
    assert.equal(tree.count, 4);
    const [first] = tree.invited;
    assert.deepEqual(
      first?.invited.map(({ name, invited }) => [name, invited.map((one) => one.name)]),
      [
        ['pavel', ['anton']],
        ['vera', []],
      ],
    );
    const own = await (await site.signedIn('mina')).get('/me/invites/tree');
    assert.match(own.text, /3 members/);
    assert.doesNotMatch(own.text, /olga|stranger/);
    const member = await site.signedIn('pavel');
    assert.equal((await member.get('/console/members/mina/invited')).status, 403);
    const staff = await (await site.signedIn('olga')).get('/console/members/mina/invited');
    assert.match(staff.text, /mina was invited by <a href="\/members\/olga">/);
    assert.match(staff.text, /anton/);
    await site.close();
  });
});

test('a tree that is too large, or goes round in a ring, is cut and says so', async () => {
  const site = await TestSite.open();
  const olga = await site.addMember('olga');
  const mina = await invitedBy(site, 'mina', olga.id);
  await site.sql.transaction<AccountTables, void>(async (transaction) => {
    await transaction
      .updateTable('member')
      .set({ invited_by: mina })
      .where('id', '=', olga.id)
      .execute();
  });
  const ring = await inviteTree(site.sql, olga.id);
  assert.equal(ring.isCut, true);
  await site.sql.transaction<AccountTables, void>(async (transaction) => {
    const rows = Array.from({ length: TREE_MEMBERS_MAX + 1 }, (_, at) => ({
      ...{ name: `guest-${at}`, name_key: `guest-${at}`, role: 'member', state: 'active' },
      ...{ reason: '', password_hash: null, invited_by: mina, created_ms: 0, seen_ms: null },
    }));
    await transaction.insertInto('member').values(rows).execute();
  });
  const large = await inviteTree(site.sql, mina);
  assert.deepEqual([large.count, large.isCut], [TREE_MEMBERS_MAX, true]);
  await site.close();
});
