// Tokens of programs: shown once, kept hashed, and never stronger than their member.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Permission } from '#site/permissions.ts';
import { Refusal } from '#site/refusal.ts';
import { RoleBook } from '#site/roles/role-book.ts';
import { TEST_PASSWORD, type TestBrowser, TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { type ApiTokenTables, addApiToken, listApiTokens, memberOfToken } from './api-tokens.ts';
import { banMember, setMemberRole } from './members.ts';

const DAY_MS = 86_400_000;

function worldOf(site: TestSite) {
  const { sql, world, passwords } = site;
  return { ...world, passwords, roleBook: new RoleBook({ ...world, sql }) };
}

async function newToken(site: TestSite, scopes: readonly Permission[]): Promise<string> {
  const world = worldOf(site);
  const roles = await world.roleBook.current();
  const made = await addApiToken(world, roles, { member: 'mina', label: '', scopes, days: 10 });
  assert.ok(!(made instanceof Refusal));
  return made.token;
}

forEachDatabase((database, open) => {
  test(`${database}: a token may what it was given and its member still may, until it ends`, async () => {
    const site = await TestSite.open({ open });
    const mina = await site.addMember('mina', 'moderator');
    const world = worldOf(site);
    const token = await newToken(site, ['browse', 'moderate']);
    const holder = await memberOfToken(world, token);
    assert.equal(holder?.memberId, mina.id);
    assert.deepEqual(holder?.scopes, ['browse', 'moderate']);
    assert.deepEqual([...holder.permissions].toSorted(), ['anyone', 'browse', 'moderate']);
    const [listed] = await listApiTokens(site.sql, mina.id);
    assert.equal(listed?.usedMs, site.clock.nowMs());
    await setMemberRole(world, 'mina', 'member');
    const weaker = await memberOfToken(world, token);
    assert.deepEqual([...(weaker?.permissions ?? [])].toSorted(), ['anyone', 'browse']);
    await banMember(world, 'mina', '');
    assert.equal(await memberOfToken(world, token), undefined, 'a banned member has no tokens');
    await site.sql.transaction<ApiTokenTables, unknown>((transaction) =>
      transaction.updateTable('member').set({ state: 'active' }).execute(),
    );
    assert.ok((await memberOfToken(world, token)) !== undefined);
    await site.clock.advance(10 * DAY_MS);
    assert.equal(await memberOfToken(world, token), undefined, 'it expired');
    await site.close();
  });
});

test('a token is made on its page with the password, shown once, and kept as a hash', async () => {
  const site = await TestSite.open();
  await site.addMember('mina');
  await site.addMember('pavel');
  const mina = await site.signedIn('mina');
  await mina.get('/me/tokens');
  const asked = { label: 'the backup', scopes: 'download', days: '30' };
  const unproven = await mina.post('/me/tokens', { ...asked, current: 'a guess' });
  assert.equal(unproven.status, 422);
  assert.match(unproven.text, /not your current password/);
  const made = await mina.post('/me/tokens', { ...asked, current: TEST_PASSWORD });
  const token = tokenIn(made.text);
  assert.match(made.text, /the backup/);
  assert.doesNotMatch((await mina.get('/me/tokens')).text, new RegExp(token));
  const holder = await memberOfToken(worldOf(site), token);
  assert.deepEqual(holder?.scopes, ['download']);
  const rows = await site.sql.read<ApiTokenTables>().selectFrom('api_token').selectAll().execute();
  assert.doesNotMatch(JSON.stringify(rows), new RegExp(token));
  assert.doesNotMatch(JSON.stringify(site.lines), new RegExp(token), 'no log line tells it');
  // Nobody else sees or removes it, whatever id they try.
  const pavel = await site.signedIn('pavel');
  await pavel.get('/me/tokens');
  assert.equal((await pavel.get('/me/tokens/1/remove')).status, 404);
  assert.equal((await pavel.post('/me/tokens/1/remove')).status, 404);
  assert.ok((await memberOfToken(worldOf(site), token)) !== undefined);
  assert.match((await mina.get('/me/tokens/1/remove')).text, /Remove the token/);
  await mina.post('/me/tokens/1/remove');
  assert.equal(await memberOfToken(worldOf(site), token), undefined);
  await site.close();
});

test('nobody makes a token that may more than they may', async () => {
  const site = await TestSite.open();
  await site.addMember('mina');
  const mina = await site.signedIn('mina');
  await mina.get('/me/tokens');
  const proof = { label: '', days: '30', current: TEST_PASSWORD };
  const beyond = await mina.post('/me/tokens', { ...proof, scopes: 'administer' });
  assert.match(beyond.text, /may not &quot;administer&quot;/);
  const none = await mina.post('/me/tokens', { ...proof, scopes: 'anyone' });
  assert.match(none.text, /Choose at least one thing/);
  assert.deepEqual(await listApiTokens(site.sql), []);
  await site.close();
});

test('the password before a token cannot be guessed at will', async () => {
  const site = await TestSite.open({ config: { signInsPerNamePerMinute: 3 } });
  await site.addMember('mina');
  const mina: TestBrowser = await site.signedIn('mina');
  await mina.get('/me/tokens');
  const asked = { label: '', scopes: 'browse', days: '30' };
  for (const guess of ['one', 'two', 'three']) {
    await mina.post('/me/tokens', { ...asked, current: guess });
  }
  const right = await mina.post('/me/tokens', { ...asked, current: TEST_PASSWORD });
  assert.match(right.text, /Too many attempts/);
  assert.deepEqual(await listApiTokens(site.sql), []);
  await site.close();
});

function tokenIn(text: string): string {
  const token = /class="secret">([\w-]{43})</.exec(text)?.[1];
  assert.ok(token !== undefined, 'the page shows the token');
  return token;
}
