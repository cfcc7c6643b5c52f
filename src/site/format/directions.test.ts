import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TEST_PASSWORD, TestSite } from '#site/test-site.ts';
import { balanceDirections } from './directions.ts';

test('a mark that turns text round ends in its line, and what is balanced stays as it is', () => {
  assert.equal(balanceDirections('plain\ntext'), 'plain\ntext');
  assert.equal(balanceDirections('a\u202eb\nc'), 'a\u202eb\u202c\nc');
  assert.equal(balanceDirections('a\u2067\u202eb'), 'a\u2067\u202eb\u202c\u2069');
  assert.equal(balanceDirections('\u202ca\u2069'), 'a');
  const good = 'the \u2067שלום\u2069 of \u202bx\u202c';
  assert.equal(balanceDirections(good), good);
  const deep = '\u202e'.repeat(100_000);
  assert.ok(balanceDirections(deep).length <= 250);
});

test('whatever is written, marks are balanced in each line, twice as well as once', () => {
  const marks = fc.constantFrom(...'ab\n\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069');
  const text = fc.array(marks, { maxLength: 60 }).map((all) => all.join(''));
  fc.assert(
    fc.property(text, (written) => {
      const once = balanceDirections(written);
      assert.equal(balanceDirections(once), once);
      assert.equal(
        once.replace(/[\u202a-\u202e\u2066-\u2069]/g, ''),
        written.replace(/[\u202a-\u202e\u2066-\u2069]/g, ''),
      );
      for (const line of once.split('\n')) {
        assert.equal(
          line.match(/[\u202a\u202b\u202d\u202e]/g)?.length,
          line.match(/\u202c/g)?.length,
        );
        assert.equal(line.match(/[\u2066-\u2068]/g)?.length, line.match(/\u2069/g)?.length);
      }
    }),
  );
});

test('a comment cannot turn round what stands behind it; a password is taken as it is', async () => {
  const site = await TestSite.open();
  const { id } = await site.addMember('mina');
  const { infoHash } = await site.addTorrent(id, 'Rain');
  const mina = await site.signedIn('mina');
  await mina.get(`/torrents/${infoHash}`);
  await mina.post(`/torrents/${infoHash}/comments`, { text: 'Look \u202eat this' });
  assert.match((await mina.get(`/torrents/${infoHash}`)).text, /Look \u202eat this\u202c</);
  const next = 'a \u202epassword with a mark';
  await mina.get('/me/password');
  const saved = await mina.post('/me/password', { current: TEST_PASSWORD, password: next });
  assert.equal(saved.status, 303, saved.text);
  await mina.post('/sign-out');
  const browser = site.browser();
  await browser.get('/sign-in');
  const balanced = { name: 'mina', password: balanceDirections(next) };
  assert.equal((await browser.post('/sign-in', balanced)).status, 422);
  assert.equal((await browser.post('/sign-in', { name: 'mina', password: next })).status, 303);
  await site.close();
});
