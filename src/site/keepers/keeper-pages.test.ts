import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addKeeper } from '#archive/keepers/keeper-book.ts';
import type { KeeperTables } from '#archive/keepers/keeper-tables.ts';
import { TestSite } from '#site/test-site.ts';

test('the console tells who holds copies, how many, and since when they are unproven', async () => {
  const site = await TestSite.open();
  try {
    const mina = await site.addMember('mina');
    await site.addMember('olga', 'admin');
    const staff = await site.signedIn('olga');
    assert.match((await staff.get('/console/keepers')).text, /No keepers yet/);
    const keeper = { memberId: mina.id, bytesMax: 1000, isSealed: true };
    await addKeeper(site.world, { ...keeper, name: 'attic' });
    await site.sql.transaction<KeeperTables, unknown>(async (transaction) => {
      const nowMs = site.clock.nowMs();
      const row = { keeper_id: 1, root: new Uint8Array(32), size_bytes: 700, since_ms: nowMs };
      const rest = { due_ms: nowMs, proofs: 1, earned: 0, reason: '' };
      const held = { ...row, ...rest, state: 'held' as const, proven_ms: nowMs - 7_200_000 };
      await transaction
        .updateTable('archive_keeper')
        .set({ seen_ms: nowMs, offered_bytes: 5000 })
        .execute();
      await transaction.insertInto('archive_copy').values(held).execute();
    });
    const page = (await staff.get('/console/keepers')).text;
    assert.match(page, /attic.*Sealed.*mina.*Here.*700.*in 1/s);
    assert.match(page, /2 hours ago/);
    const member = await site.signedIn('mina');
    assert.equal((await member.get('/console/keepers')).status, 403);
  } finally {
    await site.close();
  }
});
