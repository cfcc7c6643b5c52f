import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#site/refusal.ts';
import { TEST_PASSWORD, TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import {
  type AccountsWorld,
  addMember,
  checkName,
  enqueueAllMembers,
  findMember,
  findMemberById,
  listMembers,
  memberNames,
  resetPassword,
  setMemberRole,
} from './members.ts';
import { removeMember } from './remove-member.ts';

function worldOf(site: TestSite): AccountsWorld {
  const { sql, clock, passwords, world } = site;
  return { sql, clock, passwords, random: world.random, changed: () => world.changed() };
}

test('names are checked before anything is hashed', () => {
  for (const name of ['abc', 'a.b-c_d', '0lga', 'x'.repeat(32)]) {
    assert.equal(checkName(name), undefined, name);
  }
  for (const name of ['ab', 'x'.repeat(33), '.abc', '-abc', 'a b', 'a/b', 'ольга', 'Removed-7']) {
    assert.ok(checkName(name) instanceof Refusal, name);
  }
});

forEachDatabase((database, open) => {
  test(`${database}: a member without a password gets one that works`, async () => {
    const site = await TestSite.open({ open });
    const added = await addMember(worldOf(site), { name: 'Mina' });
    assert.ok(!(added instanceof Refusal) && added.password !== undefined);
    const browser = site.browser();
    await browser.get('/sign-in');
    const page = await browser.post('/sign-in', { name: 'mina', password: added.password });
    assert.equal(page.status, 303);
    const again = await addMember(worldOf(site), { name: 'MINA', password: TEST_PASSWORD });
    assert.ok(again instanceof Refusal && again.code === 'name-taken');
    await site.close();
  });

  test(`${database}: a removed member keeps an id and nothing else`, async () => {
    const site = await TestSite.open({ open });
    const mina = await site.addMember('mina');
    const browser = await site.signedIn('mina');
    await browser.get('/me/invites');
    const made = await browser.post('/me/invites');
    const path = /\/join\/[\w-]{43}/.exec(made.text)?.[0] ?? '';
    await removeMember(worldOf(site), 'Mina');
    assert.equal((await browser.get('/me/sessions')).status, 303);
    assert.equal((await site.browser().get(path)).status, 404);
    assert.equal(await findMember(site.sql, 'mina'), undefined);
    const left = await findMemberById(site.sql, mina.id);
    assert.equal(left?.name, `removed-${mina.id}`);
    assert.equal(left?.passkey, '');
    const message = (await site.messages()).at(-1);
    assert.equal(message?.['state'], 'removed');
    assert.deepEqual(message?.['passkeys'], []);
    const next = await site.addMember('mina');
    assert.notEqual(next.id, mina.id);
    await site.close();
  });

  test(`${database}: a new password by the staff signs the member out everywhere`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('mina');
    const browser = await site.signedIn('mina');
    const reset = await resetPassword(worldOf(site), 'mina');
    assert.ok(!(reset instanceof Refusal) && reset.password !== undefined);
    assert.equal((await browser.get('/me/sessions')).status, 303);
    const unknown = await resetPassword(worldOf(site), 'nobody');
    assert.ok(unknown instanceof Refusal && unknown.code === 'member-unknown');
    await site.close();
  });

  test(`${database}: of two admins who take each other's role at once one stays, and no request fails`, async () => {
    const site = await TestSite.open({ open });
    const world = worldOf(site);
    for (const name of ['anna', 'boris']) await site.addMember(name, 'admin');
    for (let round = 0; round < 5; round += 1) {
      const both = ['anna', 'boris'].map((name) => setMemberRole(world, name, 'member'));
      const refused = (await Promise.all(both)).filter((one) => one instanceof Refusal);
      assert.deepEqual(
        refused.map((one) => one.code),
        ['last-admin'],
      );
      for (const name of ['anna', 'boris']) await setMemberRole(world, name, 'admin');
    }
    await site.close();
  });

  test(`${database}: lists go on after a name, forwards and back, in one order`, async () => {
    const site = await TestSite.open({ open });
    const names = ['Zoe', 'anna', 'Boris', 'clara', 'dora'];
    for (const name of names) await site.addMember(name);
    const page = async (asked: { after?: string; before?: string }): Promise<string[]> =>
      (await listMembers(site.sql, { limit: 2, ...asked })).map((member) => member.name);
    assert.deepEqual(await page({}), ['anna', 'Boris']);
    assert.deepEqual(await page({ after: 'Boris' }), ['clara', 'dora']);
    assert.deepEqual(await page({ after: 'dora' }), ['Zoe']);
    assert.deepEqual(await page({ before: 'Zoe' }), ['clara', 'dora']);
    const anna = await findMember(site.sql, 'ANNA');
    assert.equal((await memberNames(site.sql, [anna?.id ?? 0, 999])).size, 1);
    await site.close();
  });

  test(`${database}: every member is told to the trackers again when asked for`, async () => {
    const site = await TestSite.open({ open });
    for (const name of ['anna', 'boris', 'clara']) await site.addMember(name);
    const before = (await site.messages()).length;
    assert.equal(await enqueueAllMembers(site.sql), 3);
    const messages = (await site.messages()).slice(before);
    assert.deepEqual(
      messages.map((message) => message['memberId']),
      [1, 2, 3],
    );
    await site.close();
  });
});
