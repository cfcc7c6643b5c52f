import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  encodeTransfer,
  RECORD_FLAG,
  TRANSFER_RECORD_BYTES,
  TRANSFERS_TOPIC,
} from '#accounting/transfers/transfer-record.ts';
import { type AccountsWorld, findMember, findMemberById } from '#site/accounts/members.ts';
import { removeMember } from '#site/accounts/remove-member.ts';
import { sendNotices } from '#site/notices/notices.ts';
import { Refusal } from '#site/refusal.ts';
import { TEST_PASSWORD, TestSite } from '#site/test-site.ts';
import { openSql } from '#sql/open.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { eraseMember } from './erase-member.ts';
import { type AnyTables, HELD_TABLES } from './held-data.ts';
import { exportMember } from './member-export.ts';
import { addresslessMembers, forgetSessionAddresses } from './old-addresses.ts';
import { protectMember } from './protect-member.ts';

const DAY_MS = 86_400_000;
/** Columns that name the member who did something for another one; an id is all that is left. */
const DEEDS = new Set([
  'invited_by',
  'used_by',
  'given_by',
  'opened_by',
  'dismissed_by',
  'removed_by',
  'written_by',
  'edited_by',
  'banned_by',
  'claimed_by',
  'resolved_by',
  // Of a copy: which keeper has it, whose own row tells whose it is.
  'keeper_id',
  // Of a torrent: which other one came in its place.
  'replaced_by',
]);

function worldOf(site: TestSite): AccountsWorld {
  const { sql, clock, passwords, world } = site;
  return { sql, clock, passwords, random: world.random, changed: () => world.changed() };
}

/** An announce of the member from 203.0.113.7, port 51413. */
async function appendAnnounce(site: TestSite, memberId: number, torrentId = 1): Promise<void> {
  const value = new Uint8Array(TRANSFER_RECORD_BYTES);
  encodeTransfer(value, 0, {
    event: 2,
    flags: RECORD_FLAG.first,
    door: 1,
    family: 4,
    port: 51_413,
    memberId,
    torrentId,
    peerId: new TextEncoder().encode('-TR4050-abcdefghijkl'),
    key: 7,
    sequence: 1,
    elapsedSeconds: 0,
    uploadedDelta: 0,
    downloadedDelta: 0,
    uploaded: 11,
    downloaded: 12,
    left: 13,
    timeMs: site.clock.nowMs(),
    address: Uint8Array.of(203, 0, 113, 7),
    uploadCreditPercent: 100,
    downloadCreditPercent: 100,
    hashVersion: 1,
  });
  await site.log.append(TRANSFERS_TOPIC, [{ value }]);
}

async function exported(site: TestSite, memberId: number) {
  const member = await findMemberById(site.sql, memberId);
  assert.ok(member !== undefined);
  let text = '';
  for await (const piece of exportMember(site.world, member)) text += piece;
  return { text, document: JSON.parse(text) as Record<string, Record<string, unknown>[]> };
}

async function tell(site: TestSite, memberId: number): Promise<void> {
  const notice = { kind: 'info', title: 'Hello mina', body: '', link: '', once: 'one' } as const;
  await site.sql.transaction((transaction) =>
    sendNotices(transaction, [{ memberId, ...notice }], site.clock.nowMs()),
  );
}

forEachDatabase((database, open) => {
  test(`${database}: every table that names a member stands in the list of what is held`, async () => {
    const site = await TestSite.open({ open });
    const tables = await site.sql.read<AnyTables>().introspection.getTables();
    const listed = new Set(HELD_TABLES.map(({ table, member }) => `${table}.${member}`));
    for (const { name, columns } of tables) {
      const names = columns.map((column) => column.name);
      for (const column of names.filter((one) => /member_id$|er_id$|_by$/.test(one))) {
        if (DEEDS.has(column)) continue;
        assert.ok(
          listed.has(`${name}.${column}`),
          `${name}.${column} is neither exported nor erased`,
        );
      }
      for (const held of HELD_TABLES.filter((one) => one.table === name)) {
        const own = [held.member, held.key, ...(held.hidden ?? []), ...(held.json ?? [])];
        for (const column of own) assert.ok(names.includes(column), `${name}.${column}`);
      }
    }
    await site.close();
  });

  test(`${database}: an export tells everything that is held, and no secret's hash`, async () => {
    const site = await TestSite.open({ open });
    const mina = await site.addMember('mina');
    const olga = await site.addMember('olga', 'admin');
    await site.signedIn('mina');
    const torrent = await site.addTorrent(mina.id, 'Field notes');
    await tell(site, mina.id);
    await appendAnnounce(site, mina.id, torrent.id);
    await appendAnnounce(site, olga.id, torrent.id);
    const { text, document } = await exported(site, mina.id);
    assert.deepEqual(
      Object.keys(document).filter((section) => Array.isArray(document[section])),
      [...HELD_TABLES.map((held) => held.section), 'announces'],
    );
    assert.equal(document['account']?.['name' as never], 'mina');
    assert.equal(document['passkeys']?.[0]?.['passkey'], mina.passkey);
    assert.equal(document['uploads']?.[0]?.['title'], 'Field notes');
    assert.equal(document['notices']?.[0]?.['title'], 'Hello mina');
    assert.equal(document['sessions']?.[0]?.['address'], '10.0.0.1');
    assert.equal(document['announces']?.length, 1, 'nobody else’s announces');
    const [announce] = document['announces'] ?? [];
    assert.equal(announce?.['address'], '203.0.113.7');
    assert.equal(announce?.['leftBytes'], 13);
    assert.ok(!/"\w*(Hash|password)\w*":/i.test(text), 'no hash of a secret');
    await site.close();
  });

  test(`${database}: an erased member leaves sums under a pseudonym, and nothing that brings them back`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    const mina = await site.addMember('mina');
    const browser = await site.signedIn('mina');
    await browser.get('/me/invites');
    await browser.post('/me/invites', { note: 'for my sister' });
    const torrent = await site.addTorrent(mina.id, 'Field notes');
    await tell(site, mina.id);
    const erased = await eraseMember(worldOf(site), 'Mina');
    assert.ok(!(erased instanceof Refusal) && erased.name === `removed-${mina.id}`);
    assert.equal((await browser.get('/me')).location.startsWith('/sign-in'), true);
    assert.equal(await findMember(site.sql, 'mina'), undefined);
    const { text, document } = await exported(site, mina.id);
    assert.ok(!/mina|sister/i.test(text), text);
    assert.ok(!text.includes(mina.passkey));
    for (const { section, erasure } of HELD_TABLES) {
      if (erasure.kind === 'delete') assert.deepEqual(document[section], [], section);
    }
    assert.equal(document['uploads']?.[0]?.['id'], torrent.id, 'the torrent stays');
    const messages = await site.messages();
    assert.ok(messages.some((one) => one['memberId'] === mina.id && one['state'] === 'removed'));
    assert.deepEqual(await addresslessMembers(site.sql), [mina.id]);
    // Again, by the name that is left: nothing more to do, and no failure.
    const again = await eraseMember(worldOf(site), `removed-${mina.id}`);
    assert.ok(!(again instanceof Refusal));
    // The name is free, and whoever takes it is somebody else.
    assert.notEqual((await site.addMember('mina')).id, mina.id);
    await site.close();
  });

  test(`${database}: a member who was removed before can be erased by what is left of the name`, async () => {
    const site = await TestSite.open({ open });
    const mina = await site.addMember('mina');
    await tell(site, mina.id);
    assert.ok((await eraseMember(worldOf(site), `removed-${mina.id}`)) instanceof Refusal);
    await removeMember(worldOf(site), 'mina');
    assert.equal((await exported(site, mina.id)).document['notices']?.length, 1);
    assert.ok(!((await eraseMember(worldOf(site), `removed-${mina.id}`)) instanceof Refusal));
    assert.equal((await exported(site, mina.id)).document['notices']?.length, 0);
    await site.close();
  });

  test(`${database}: addresses of sessions go after their days, the sessions stay`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('mina');
    const old = await site.signedIn('mina');
    site.clock.advance(20 * DAY_MS);
    await old.get('/me/sessions');
    const fresh = await site.signedIn('mina');
    assert.equal(await forgetSessionAddresses(site.sql, site.clock.nowMs() - 10 * DAY_MS), 1);
    const page = await fresh.get('/me/sessions');
    assert.equal(page.text.match(/10\.0\.0\.1/g)?.length, 1);
    assert.match(page.text, /not kept/);
    assert.equal((await old.get('/me/sessions')).status, 200);
    await site.close();
  });

  test(`${database}: a protected member has no address in SQL, before and after`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    const mina = await site.addMember('mina');
    const before = await site.signedIn('mina');
    const admin = await site.signedIn('olga');
    const console_ = await admin.get('/console/members/mina');
    assert.match(console_.text, /Protect mina/);
    await admin.post('/console/members/mina/protect', { protected: 'yes' });
    const message = (await site.messages()).at(-1);
    assert.equal(message?.['isProtected'], true, 'the trackers are told');
    await site.signedIn('mina');
    assert.ok(!(await before.get('/me/sessions')).text.includes('10.0.0.1'));
    assert.deepEqual(await addresslessMembers(site.sql), [mina.id]);
    await protectMember(worldOf(site), 'mina', false);
    assert.deepEqual(await addresslessMembers(site.sql), []);
    await site.close();
  });
});

test('a member takes their data along and erases the account on their own page', async () => {
  const site = await TestSite.open();
  await site.addMember('olga', 'admin');
  const mina = await site.addMember('mina');
  await appendAnnounce(site, mina.id);
  const browser = await site.signedIn('mina');
  const page = await browser.get('/me/data');
  assert.match(page.text, /removed after 30 days/);
  const file = await browser.get('/me/data/export');
  assert.match(file.headers.get('content-disposition') ?? '', /mina\.json/);
  const document = JSON.parse(file.text) as { announces: unknown[] };
  assert.equal(document.announces.length, 1);
  assert.equal((await browser.get('/me/data/export')).status, 200, 'one after the other');
  await browser.get('/me/erase');
  const wrong = await browser.post('/me/erase', { password: 'not the password' });
  assert.equal(wrong.status, 422);
  assert.match(wrong.text, /This is not your password/);
  assert.ok((await findMember(site.sql, 'mina')) !== undefined);
  const done = await browser.post('/me/erase', { password: TEST_PASSWORD });
  assert.equal(done.location, '/sign-in');
  assert.equal(await findMember(site.sql, 'mina'), undefined);
  await site.close();
});

test('the only admin cannot erase the account that runs the community', async () => {
  const site = await TestSite.open();
  await site.addMember('olga', 'admin');
  const browser = await site.signedIn('olga');
  await browser.get('/me/erase');
  const page = await browser.post('/me/erase', { password: TEST_PASSWORD });
  assert.equal(page.status, 422);
  assert.match(page.text, /the only admin/);
  await site.close();
});

test('the bytes of an erased name are not in the database’s files', async (context) => {
  const { mkdtempSync, rmSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-erase-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const site = await TestSite.open({ open: () => openSql({ url: '', folder, threads: false }) });
  await site.addMember('olga', 'admin');
  const mina = await site.addMember('Wilhelmina-of-Orange');
  await tell(site, mina.id);
  await eraseMember(worldOf(site), 'Wilhelmina-of-Orange');
  // The outbox had the passkey for the trackers; the relay takes it out.
  await site.sql.transaction<AnyTables, unknown>((transaction) =>
    transaction.deleteFrom('outbox').execute(),
  );
  await site.close();
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  assert.ok(files.length > 0);
  for (const bytes of files) {
    assert.ok(!bytes.toString('latin1').toLowerCase().includes('wilhelmina'));
    assert.ok(!bytes.includes(mina.passkey));
  }
});
