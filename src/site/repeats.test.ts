// That what is sent twice is done once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#sim/clock.ts';
import { STAFF_SCOPES, TestApi } from './api/test-api.ts';
import { Repeats } from './repeats.ts';
import { TestSite } from './test-site.ts';

const KEPT = { isKept: (response: Response) => response.status < 400 };

test('what is repeated while it is done or soon after is done once, and answered the same', async () => {
  const clock = new SimClock();
  const repeats = new Repeats({ clock, keptMs: 1000 });
  let done = 0;
  const ends: (() => void)[] = [];
  const run = async (): Promise<Response> => {
    done += 1;
    await new Promise<void>((resolve) => ends.push(resolve));
    const headers = [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ] as [string, string][];
    return new Response(`number ${done}`, { status: 201, headers });
  };
  const asked = { key: 'one', content: 'x', ...KEPT };
  const both = [repeats.once(asked, run), repeats.once(asked, run)];
  assert.equal(await repeats.once({ ...asked, content: 'y' }, run), undefined);
  ends.shift()?.();
  const [first, second] = await Promise.all(both);
  for (const answer of [first, second, await repeats.once(asked, run)]) {
    assert.equal(answer?.status, 201);
    assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2']);
    assert.equal(await answer.text(), 'number 1');
  }
  assert.equal(first?.headers.get('idempotency-replayed'), null);
  assert.equal(second?.headers.get('idempotency-replayed'), 'true');
  assert.equal(done, 1);
  clock.advance(1000);
  const later = repeats.once(asked, run);
  ends.shift()?.();
  assert.equal(await (await later)?.text(), 'number 2');
});

test('what was refused or failed is tried again, also by who waited for it', async () => {
  const repeats = new Repeats({ clock: new SimClock(), keptMs: 1000 });
  const answers = [503, 'broken', 204] as const;
  let done = 0;
  const run = async (): Promise<Response> => {
    const answer = answers[done++] ?? 500;
    await Promise.resolve();
    if (answer === 'broken') throw new Error('broken');
    return new Response(null, { status: answer });
  };
  const asked = { key: 'one', content: 'x', ...KEPT };
  const all = await Promise.allSettled([1, 2, 3, 4].map(() => repeats.once(asked, run)));
  assert.deepEqual(
    all.map((one) => (one.status === 'rejected' ? 'broken' : one.value?.status)),
    [503, 'broken', 204, 204],
  );
  assert.equal(done, 3);
});

test('answers that are kept are bounded in number and in size', async () => {
  const repeats = new Repeats({ clock: new SimClock(), keptMs: 1000, entriesMax: 2 });
  let done = 0;
  const ask = async (key: string, length = 1): Promise<void> => {
    await repeats.once({ key, content: '', ...KEPT }, async () => {
      done += 1;
      return new Response('x'.repeat(length));
    });
  };
  for (const key of ['a', 'b', 'c', 'b', 'c']) await ask(key);
  assert.equal(done, 3);
  await ask('a');
  assert.equal(done, 4, 'the oldest was forgotten');
  for (let at = 0; at < 2; at++) await ask('large', 100_000);
  assert.equal(done, 6, 'a long one is not kept');
});

test('a double click does what a form says once; the form of another page does it again', async () => {
  const site = await TestSite.open();
  try {
    const { id } = await site.addMember('mina');
    const { infoHash } = await site.addTorrent(id, 'Survey');
    const mina = await site.signedIn('mina');
    await mina.get(`/torrents/${infoHash}`);
    const [path, fields] = [`/torrents/${infoHash}/comments`, { text: 'Which datum is this?' }];
    const clicks = await Promise.all([1, 2, 3].map(() => mina.postSame(path, fields)));
    assert.deepEqual(
      clicks.map(({ status }) => status),
      [303, 303, 303],
    );
    assert.equal(new Set(clicks.map(({ headers }) => headers.get('location'))).size, 1);
    const comments = async (): Promise<number> => {
      const page = await mina.get(`/torrents/${infoHash}`);
      return page.text.split('Which datum is this?').length - 1;
    };
    assert.equal(await comments(), 1);
    await mina.postSame(path, fields);
    assert.equal(await comments(), 2, 'who writes the same again on a new page means it');
    const refused = await mina.postSame(path, { text: '' });
    assert.notEqual(refused.status, 303);
  } finally {
    await site.close();
  }
});

test('a call of the API with an idempotency key is done once, and the key is for nothing else', async () => {
  const site = await TestSite.open();
  try {
    await site.addMember('mina');
    await site.addMember('olga', 'admin');
    const mina = await TestApi.of(site, 'mina');
    const olga = await TestApi.of(site, 'olga', STAFF_SCOPES);
    const headers = { 'idempotency-key': 'order 7' };
    const sent = { json: { title: 'Rain' }, headers };
    const [one, two] = await Promise.all([1, 2].map(() => mina.do('makeCollection', sent)));
    assert.deepEqual(two?.json, one?.json);
    assert.equal(two?.page.headers.get('idempotency-replayed'), 'true');
    assert.equal((await mina.do('listCollections')).json.items.length, 1);
    await mina.refused('makeCollection', 'conflict', { json: { title: 'Snow' }, headers });
    // Another's key is another key, and a key has no say in what is only read.
    await olga.do('makeCollection', sent);
    assert.equal((await mina.do('listCollections', { headers })).json.items.length, 2);
    assert.equal((await mina.do('listCollections', { headers })).json.items.length, 2);
    const long = { 'idempotency-key': 'x'.repeat(200) };
    await mina.refused('makeCollection', 'request-invalid', { ...sent, headers: long });
    await mina.do('makeCollection', { json: { title: 'Rain' } });
    assert.equal((await mina.do('listCollections')).json.items.length, 3);
  } finally {
    await site.close();
  }
});
