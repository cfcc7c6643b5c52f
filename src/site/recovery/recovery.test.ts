// Ways back into an account: by a letter, and by a link of the staff.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addApiToken } from '#site/accounts/api-tokens.ts';
import { findMember } from '#site/accounts/members.ts';
import { Refusal } from '#site/refusal.ts';
import { RoleBook } from '#site/roles/role-book.ts';
import { beginStep, findStep } from '#site/second-factor/sign-in-steps.ts';
import { TEST_PASSWORD, type TestBrowser, TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import type { Mail } from './mails.ts';

const NEW_PASSWORD = 'another lamp by the river';

function withMail(letters: Mail[]) {
  return {
    mailer: {
      send: async (mail: Mail) => {
        letters.push(mail);
      },
    },
  };
}

function linkIn(letter: Mail | undefined): string {
  return /http:\/\/127\.0\.0\.1:8080(\/\S+)/.exec(letter?.text ?? '')?.[1] ?? '';
}

/** Confirms an address for whoever is signed in. */
async function confirm(browser: TestBrowser, letters: Mail[], address: string): Promise<void> {
  await browser.get('/me/email');
  await browser.post('/me/email', { address, current: TEST_PASSWORD });
  const path = linkIn(letters.at(-1));
  await browser.get(path);
  await browser.post(path);
}

forEachDatabase((database, open) => {
  test(`${database}: an address counts once its letter was answered, and a letter gives a new password`, async () => {
    const letters: Mail[] = [];
    const site = await TestSite.open({ open, ...withMail(letters) });
    await site.addMember('mina');
    const mina = await site.signedIn('mina');
    await mina.get('/me/email');
    const wrong = await mina.post('/me/email', { address: 'not one', current: TEST_PASSWORD });
    assert.match(wrong.text, /Write an address such as/);
    await mina.post('/me/email', { address: 'Mina@Example.org', current: 'a guess' });
    assert.equal(letters.length, 0);
    await mina.post('/me/email', { address: 'Mina@Example.org', current: TEST_PASSWORD });
    const confirmation = linkIn(letters[0]);
    assert.equal(letters[0]?.to, 'Mina@Example.org');
    await mina.get(confirmation);
    assert.match(
      (await mina.get('/me/email')).text,
      /None is confirmed/,
      'opening changes nothing',
    );
    const guest = site.browser();
    await guest.get('/sign-in/forgotten');
    await guest.post('/sign-in/forgotten', { who: 'mina' });
    assert.equal(letters.length, 1, 'an address that is not confirmed gets nothing');
    await mina.get(confirmation);
    await mina.post(confirmation);
    assert.match((await mina.get('/me/email')).text, /Mina@Example\.org/);
    assert.equal((await mina.get(confirmation)).status, 404);

    await guest.post('/sign-in/forgotten', { who: 'mina@example.ORG' });
    const first = linkIn(letters[1]);
    await guest.post('/sign-in/forgotten', { who: 'mina' });
    const second = linkIn(letters[2]);
    assert.equal((await guest.get(first)).status, 404, 'a newer link makes the older void');
    assert.equal((await guest.get(second)).status, 200);
    assert.equal((await guest.post(second, { password: 'short' })).status, 422);
    assert.equal((await guest.post(second, { password: NEW_PASSWORD })).location, '/sign-in');
    assert.equal((await guest.get(second)).status, 404);
    assert.equal((await mina.get('/me/email')).status, 303, 'signed out everywhere');
    await mina.get('/sign-in');
    const fields = { name: 'mina', password: NEW_PASSWORD };
    assert.equal((await mina.post('/sign-in', fields)).status, 303);
    assert.match((await mina.get('/me/notices')).text, /password was reset by a link/);
    assert.doesNotMatch(JSON.stringify(site.lines), /\/reset\/|\/confirm\//);
    await site.close();
  });

  test(`${database}: the old address is told of the new one, and no address has two accounts`, async () => {
    const letters: Mail[] = [];
    const site = await TestSite.open({ open, ...withMail(letters) });
    await site.addMember('mina');
    await site.addMember('pavel');
    const mina = await site.signedIn('mina');
    await confirm(mina, letters, 'mina@example.org');
    await confirm(mina, letters, 'mina@new.example.org');
    assert.deepEqual(
      letters.map(({ to }) => to),
      ['mina@example.org', 'mina@new.example.org', 'mina@example.org'],
    );
    const pavel = await site.signedIn('pavel');
    await confirm(pavel, letters, 'MINA@new.example.org');
    assert.match((await pavel.get('/me/email')).text, /None is confirmed/);
    await site.close();
  });
});

test('nobody learns by the form whether there is an account, and letters are bounded', async () => {
  const letters: Mail[] = [];
  const site = await TestSite.open({ ...withMail(letters), config: { signUpsPerHour: 3 } });
  await site.addMember('mina');
  await confirm(await site.signedIn('mina'), letters, 'mina@example.org');
  const answers: string[] = [];
  for (const who of ['mina', 'nobody']) {
    const guest = site.browser(`10.0.1.${answers.length}`);
    await guest.get('/sign-in/forgotten');
    const page = await guest.post('/sign-in/forgotten', { who });
    answers.push(`${page.status} ${page.location} ${(await guest.get('/sign-in')).text.length}`);
  }
  assert.equal(answers[0], answers[1]);
  const statuses: number[] = [];
  for (let at = 0; at < 4; at += 1) {
    const guest = site.browser(`10.0.2.${at}`);
    await guest.get('/sign-in/forgotten');
    statuses.push((await guest.post('/sign-in/forgotten', { who: 'mina' })).status);
  }
  assert.equal(statuses.at(-1), 429, 'whatever the address it comes from');
  await site.close();
});

test('the staff make a link that is shown once, lasts a day, and leaves the second factor', async () => {
  const site = await TestSite.open();
  await site.addMember('olga', 'admin');
  await site.addMember('mina');
  const olga = await site.signedIn('olga');
  await olga.get('/console/members/mina/reset');
  const page = await olga.post('/console/members/mina/reset');
  const path = /\/reset\/[\w-]{43}/.exec(page.text)?.[0] ?? '';
  const mina = site.browser();
  assert.match((await mina.get(path)).text, /For <strong>mina<\/strong>/);
  await site.clock.advance(86_400_000);
  assert.equal((await mina.post(path, { password: NEW_PASSWORD })).status, 404);
  const line = site.lines.find(({ message }) => /made a link for a new password/.test(message));
  assert.ok(line !== undefined);
  assert.doesNotMatch(JSON.stringify(site.lines), /\/reset\//);
  const without = await site.browser().get('/sign-in/forgotten');
  assert.match(without.text, /sends no e-mail/);
  await site.close();
});

forEachDatabase((database, open) => {
  test(`${database}: a password set by a link ends sessions, tokens, half-done sign-ins and other links`, async () => {
    const letters: Mail[] = [];
    const site = await TestSite.open({ open, ...withMail(letters) });
    await site.addMember('mina');
    await site.addMember('pavel');
    const mina = await site.signedIn('mina');
    await confirm(mina, letters, 'mina@example.org');
    const tokens = [await tokenOf(site, 'mina'), await tokenOf(site, 'pavel')];
    // Somebody who knows the old password has an address of theirs waiting to be confirmed.
    await mina.get('/me/email');
    await mina.post('/me/email', { address: 'thief@example.org', current: TEST_PASSWORD });
    const planted = linkIn(letters.at(-1));
    const { id } = (await findMember(site.sql, 'mina')) ?? assert.fail('mina is there');
    const step = { purpose: 'code', memberId: id, next: '' } as const;
    const halfDone = await beginStep(site.world, step);
    const guest = site.browser();
    await guest.get('/sign-in/forgotten');
    await guest.post('/sign-in/forgotten', { who: 'mina' });
    const link = linkIn(letters.at(-1));
    await guest.get(link);
    await guest.post(link, { password: NEW_PASSWORD });
    const statuses = [];
    for (const token of tokens) {
      const headers = { authorization: `Bearer ${token}` };
      statuses.push((await site.browser().get('/api/v1/me', headers)).status);
    }
    assert.deepEqual(statuses, [401, 200], "another one's token stays");
    assert.equal((await guest.get(planted)).status, 404);
    assert.equal(await findStep(site.world, halfDone, 'code'), undefined);
    await site.close();
  });
});

async function tokenOf(site: TestSite, member: string): Promise<string> {
  const roles = await new RoleBook(site.world).current();
  const made = await addApiToken(site.world, roles, { member, label: 'x', scopes: ['account'] });
  assert.ok(!(made instanceof Refusal));
  return made.token;
}

test('a link by letter is worth nothing once its address or the password was changed', async () => {
  const letters: Mail[] = [];
  const site = await TestSite.open({ ...withMail(letters) });
  await site.addMember('mina');
  const mina = await site.signedIn('mina');
  const guest = site.browser();
  const linkByLetter = async (): Promise<string> => {
    await guest.get('/sign-in/forgotten');
    await guest.post('/sign-in/forgotten', { who: 'mina' });
    return linkIn(letters.findLast(({ subject }) => /a new password/.test(subject)));
  };
  await confirm(mina, letters, 'mina@example.org');
  const first = await linkByLetter();
  assert.equal((await guest.get(first)).status, 200);
  await confirm(mina, letters, 'mina@new.example.org');
  assert.equal((await guest.get(first)).status, 404, 'another address');
  const second = await linkByLetter();
  await mina.get('/me/password');
  await mina.post('/me/password', { current: TEST_PASSWORD, password: NEW_PASSWORD });
  assert.equal((await guest.get(second)).status, 404, 'another password');
  const third = await linkByLetter();
  assert.equal((await guest.get(third)).status, 200);
  await mina.get('/me/email');
  await mina.post('/me/email/remove', { current: NEW_PASSWORD });
  assert.equal((await guest.get(third)).status, 404, 'no address');
  await site.close();
});
