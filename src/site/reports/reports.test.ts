// Reports from the button to the answer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestSite } from '#site/test-site.ts';
import { OPEN_MAX } from './reports.ts';

const HOSTILE = '<img src=x onerror=alert(1)>"\'';

async function withSite(run: (site: TestSite, ids: Ids) => Promise<void>): Promise<void> {
  const site = await TestSite.open();
  try {
    await site.addMember('mona', 'moderator');
    await site.addMember('nils', 'moderator');
    const { id: minaId } = await site.addMember('mina');
    const { id: veraId } = await site.addMember('vera');
    const { id: torrentId, infoHash: hash } = await site.addTorrent(minaId, 'Rain');
    await run(site, { minaId, veraId, torrentId, hash });
  } finally {
    await site.close();
  }
}

interface Ids {
  readonly minaId: number;
  readonly veraId: number;
  readonly torrentId: number;
  readonly hash: string;
}

test('a torrent, a comment and a member are reported, claimed, resolved, and the reporter is told', async () => {
  await withSite(async (site, { minaId, torrentId, hash }) => {
    const mina = await site.signedIn('mina');
    await mina.get(`/torrents/${hash}`);
    await mina.post(`/torrents/${hash}/comments`, { text: 'rude words' });
    const vera = await site.signedIn('vera');
    const page = await vera.get(`/torrents/${hash}`);
    for (const path of [`/report/torrent/${torrentId}`, '/report/comment/1']) {
      assert.ok(page.text.includes(`href="${path}"`), path);
    }
    assert.match((await vera.get('/members/mina')).text, new RegExp(`/report/member/${minaId}`));
    for (const path of [`torrent/${torrentId}`, 'comment/1', `member/${minaId}`]) {
      assert.equal((await vera.get(`/report/${path}`)).status, 200);
      const sent = await vera.post(`/report/${path}`, { words: `about ${path} ${HOSTILE}` });
      assert.equal(sent.status, 303, path);
    }
    const mona = await site.signedIn('mona');
    const queue = await mona.get('/console/reports');
    assert.match(queue.text, /3 reports to look at/);
    assert.doesNotMatch(queue.text, /<img/);
    assert.equal((await mona.post('/console/reports/1', { action: 'claim' })).status, 303);
    const nils = await site.signedIn('nils');
    await nils.get('/console/reports/1');
    await nils.post('/console/reports/1', { action: 'claim' });
    assert.match((await nils.get('/console/reports')).text, /mona has it/);
    await nils.get('/console/reports/1');
    await nils.post('/console/reports/1', { action: 'release' });
    await nils.post('/console/reports/1', { action: 'claim' });
    assert.match((await mona.get('/console/reports')).text, /nils has it/);
    const answer = { action: 'resolve', outcome: 'acted', answer: `Done. ${HOSTILE}` };
    await nils.get('/console/reports/1');
    assert.equal((await nils.post('/console/reports/1', { ...answer, answer: '' })).status, 422);
    assert.equal((await nils.post('/console/reports/1', { ...answer, outcome: 'x' })).status, 422);
    assert.equal((await nils.post('/console/reports/1', answer)).status, 303);
    assert.equal((await nils.post('/console/reports/1', answer)).status, 422);
    const told = (await vera.get('/me/notices')).text;
    assert.match(told, /Your report of the torrent “Rain” was acted on/);
    assert.doesNotMatch(told, /<img/);
    assert.match((await mona.get('/console/reports')).text, /2 reports to look at/);
    assert.match((await mona.get('/console/reports?state=resolved')).text, /Acted on/);
    assert.doesNotMatch((await mona.get('/console/reports/1')).text, /<img/);
  });
});

test('one thing is reported once by a member while it waits, and a member has so many that wait', async () => {
  await withSite(async (site, { minaId, torrentId }) => {
    const vera = await site.signedIn('vera');
    await vera.get(`/report/torrent/${torrentId}`);
    assert.equal((await vera.post(`/report/torrent/${torrentId}`, { words: 'a' })).status, 303);
    const again = await vera.post(`/report/torrent/${torrentId}`, { words: 'b' });
    assert.equal(again.status, 422);
    assert.match(again.text, /reported this already/);
    assert.equal((await vera.post(`/report/torrent/${torrentId}`, { words: ' ' })).status, 422);
    for (let n = 1; n < OPEN_MAX; n++) {
      const { id } = await site.addTorrent(minaId, `Torrent ${n}`, n + 10);
      assert.equal((await vera.post(`/report/torrent/${id}`, { words: 'c' })).status, 303);
    }
    const full = await vera.post(`/report/member/${minaId}`, { words: 'd' });
    assert.match(full.text, /wait for the staff/);
  });
});

test('what is not there cannot be reported', async () => {
  await withSite(async (site) => {
    const vera = await site.signedIn('vera');
    for (const path of ['torrent/99', 'member/99', 'comment/99', 'spoon/1', 'torrent/x']) {
      assert.equal((await vera.get(`/report/${path}`)).status, 404, path);
      assert.equal((await vera.post(`/report/${path}`, { words: 'a' })).status, 404, path);
    }
  });
});
