// The routes beside torrents, one after the other; and that each of all routes is called by a test.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { keepTorrent } from '#archive/catalogue/kept-torrents.ts';
import { sendNotices } from '#site/notices/notices.ts';
import { TestSite } from '#site/test-site.ts';
import type { JobView, SiteContent } from '#site/world.ts';
import { API_ROUTES } from './all-routes.ts';
import { STAFF_SCOPES, TestApi } from './test-api.ts';

/** Of the archive only what it keeps is asked here. */
const CONTENT = { isKept: async () => true } as unknown as SiteContent;
const JOB: JobView = {
  name: 'ratio-watch',
  summary: 'Judges every member.',
  ...{ isPaused: false, isRequested: false, nextRunMs: 1000, failures: 0 },
  progress: { done: 1, total: undefined, unit: 'members' },
  lastRun: {
    ...{ result: 'done', summary: 'Nobody fell short.', holder: 'a' },
    ...{ startedMs: 1, endedMs: 2 },
  },
};

let site: TestSite;
let mina: TestApi;
let olga: TestApi;
let minaId: number;
let hash: string;
let torrentId: number;

before(async () => {
  site = await TestSite.open({ content: () => CONTENT, config: { downloadKeys: true } });
  await site.addMember('olga', 'admin');
  minaId = (await site.addMember('mina')).id;
  mina = await TestApi.of(site, 'mina');
  olga = await TestApi.of(site, 'olga', STAFF_SCOPES);
  const torrent = await site.addTorrent(minaId, 'Survey');
  hash = torrent.infoHash;
  torrentId = torrent.id;
  await keepTorrent(site.sql, { id: torrentId, files: [], nowMs: 1 });
  site.jobs.views.push(JOB);
});

after(async () => {
  await site.close();
});

test('a member sees themselves: totals, transfers, days, clients, addresses', async () => {
  const { json: me } = await mina.do('getMe');
  assert.equal(me.name, 'mina');
  assert.equal(me.csrfToken, null);
  assert.equal(me.standing.state, 'good');
  await mina.do('listMyTransfers');
  assert.equal((await mina.do('listMyDays')).json.items.length, 30);
  const { json: year } = await mina.do('listMyDays', { query: { span: 'year' } });
  assert.equal(year.items.length, 53);
  assert.deepEqual((await mina.do('listMyWarnings')).json.items, []);
  await mina.do('listMyClients');
  const { json: addresses } = await mina.do('getMyAddresses');
  assert.match(addresses.http, /^http:.*\/announce$/);
  await mina.do('resetPasskey');
  const { json: changed } = await mina.do('getMyAddresses');
  assert.notEqual(changed.http, addresses.http);
  await mina.do('testMyPorts');
  assert.match((await mina.do('getMyData')).page.text, /"mina"/);
});

test('notices are listed page by page, and read up to one', async () => {
  await site.sql.transaction(async (transaction) => {
    const notices = ['one', 'two', 'three'].map((title) => ({
      ...{ memberId: minaId, kind: 'info' as const, title, body: '', link: '', once: title },
    }));
    await sendNotices(transaction, notices, 1);
  });
  const { json: first } = await mina.do('listNotices', { query: { limit: 2 } });
  assert.deepEqual(titles(first), ['three', 'two']);
  const query = { limit: 2, cursor: first.nextCursor };
  const { json: second } = await mina.do('listNotices', { query });
  assert.deepEqual(titles(second), ['one']);
  assert.equal(second.nextCursor, null);
  await mina.do('markNoticesRead', { json: { throughId: second.items[0].id } });
  assert.equal((await mina.do('getMe')).json.unreadNotices, 2);
  await mina.refused('listNotices', 'request-invalid', { query: { cursor: 'x' } });

  function titles(page: { readonly items: readonly { readonly title: string }[] }) {
    return page.items.map((one) => one.title);
  }
});

test('bonus points and tokens', async () => {
  const { json } = await mina.do('listMyBonus');
  assert.equal(json.tokenPoints, 500);
  await mina.refused('buyFreeleechToken', 'points-missing');
  await mina.refused('spendFreeleechToken', 'no-token', { params: { hash } });
  const given = await olga.do('giveFreeleechTokens', { json: { member: 'mina', count: 2 } });
  assert.equal(given.json.members, 1);
  await mina.do('spendFreeleechToken', { params: { hash } });
  await mina.refused('spendFreeleechToken', 'conflict', { params: { hash } });
  assert.equal((await mina.do('getMe')).json.freeleechTokens, 1);
  const { json: mine } = await mina.do('getMyTransfer', { params: { hash } });
  assert.equal(mine.downloadCreditPercent, 0);
});

test('invites and keys of downloads are listed without their secrets, and end', async () => {
  const { json: made } = await mina.do('addInvite', { json: { note: 'for Piet' } });
  assert.match(made.url, /\/join\//);
  const { json: invites } = await mina.do('listInvites');
  const { id } = invites.items[0];
  await olga.refused('revokeInvite', 'not-found', { params: { id } });
  await mina.do('revokeInvite', { params: { id } });
  await mina.refused('revokeInvite', 'not-found', { params: { id } });

  await mina.do('getTorrentFile', { params: { hash } });
  const { json: keys } = await mina.do('listDownloadKeys');
  const key = { params: { id: keys.items[0].id } };
  await olga.refused('revokeDownloadKey', 'not-found', key);
  await mina.do('revokeDownloadKey', key);
});

test('the tree of invites is told flat', async () => {
  assert.deepEqual((await mina.do('getMyInviteTree')).json, { items: [], isCut: false });
  await olga.do('getMemberInviteTree', { params: { name: 'mina' } });
  await mina.refused('getMemberInviteTree', 'forbidden', { params: { name: 'olga' } });
});

test('sessions are listed for tokens, and ended from sessions alone', async () => {
  await site.signedIn('mina');
  const { json } = await mina.do('listSessions');
  assert.equal(json.items.length, 1);
  assert.equal(json.items[0].isThis, false);
  await mina.refused('endSession', 'session-only', { params: { id: json.items[0].id } });
  await mina.refused('endAllSessions', 'session-only');
  const browser = await site.signedIn('mina');
  const me = JSON.parse((await browser.get('/api/v1/me')).text) as { csrfToken: string };
  const request = new Request('http://127.0.0.1:8080/api/v1/me/sessions', {
    method: 'DELETE',
    headers: { 'x-csrf-token': me.csrfToken },
  });
  assert.equal((await browser.send(request)).status, 204);
  assert.equal((await mina.do('listSessions')).json.items.length, 0);
});

test('a share is made, grows, is listed, and ends', async () => {
  const json = { items: [{ infoHash: hash }], days: 7, password: 'open the door' };
  const { json: made } = await mina.do('makeShare', { json });
  assert.match(made.url, /\/s\//);
  const params = { id: made.id };
  await mina.do('addToShare', { params, json: { infoHash: hash, entry: 0 } });
  const { json: listed } = await mina.do('listShares');
  assert.equal(listed.items[0].hasPassword, true);
  assert.equal(listed.items[0].items.length, 2);
  await olga.do('listAllShares');
  await olga.refused('revokeShare', 'not-found', { params });
  await mina.do('revokeShare', { params });
  await olga.refused('revokeAnyShare', 'not-found', { params });
  await mina.refused('makeShare', 'days-invalid', { json: { ...json, days: 0 } });
  const far = { ...json, items: [{ infoHash: hash, entry: 999 }] };
  await mina.refused('makeShare', 'not-found', { json: far });
});

test('members are listed by name', async () => {
  const { json: first } = await mina.do('listMembers', { query: { limit: 1 } });
  assert.equal(first.items[0].name, 'mina');
  const query = { limit: 1, cursor: first.nextCursor };
  assert.equal((await mina.do('listMembers', { query })).json.items[0].name, 'olga');
  await mina.do('getMember', { params: { name: 'OLGA' } });
  await mina.refused('getMember', 'not-found', { params: { name: 'nobody' } });
});

test('settings are changed one by one, and wrong ones are named', async () => {
  await olga.do('changeSettings', { json: { siteName: 'Weather archive' } });
  const { json } = await olga.do('getSettings');
  assert.equal(json.siteName, 'Weather archive');
  assert.equal(json.signUpMode, 'invite');
  const problem = await olga.refused('changeSettings', 'request-invalid', {
    json: { publicUrl: 'not an address' },
  });
  assert.equal(problem.errors[0]?.field, 'publicUrl');
});

test('jobs are steered', async () => {
  const params = { name: JOB.name };
  assert.equal((await olga.do('listJobs')).json.items[0].progress.total, null);
  assert.equal((await olga.do('getJob', { params })).json.runs.length, 1);
  await olga.do('steerJob', { params, json: { deed: 'run' } });
  assert.deepEqual(site.jobs.asked, ['run ratio-watch']);
  site.jobs.views[0] = { ...JOB, isPaused: true };
  await olga.refused('steerJob', 'conflict', { params, json: { deed: 'run' } });
  await olga.refused('getJob', 'not-found', { params: { name: 'nothing' } });
});

test('what the staff do to members', async () => {
  await site.addMember('piet');
  const params = { name: 'piet' };
  await olga.do('protectMember', { params, json: { isProtected: true } });
  assert.equal((await olga.do('getManagedMember', { params })).json.isProtected, true);
  await olga.do('setMemberRole', { params, json: { role: 'admin' } });
  await olga.do('setMemberRole', { params, json: { role: 'member' } });
  await olga.refused('setMemberRole', 'role-unknown', { params, json: { role: 'king' } });
  const own = { params: { name: 'olga' } };
  await olga.refused('banMember', 'ban-self', { ...own, json: { reason: 'x' } });
  await olga.refused('unbanMember', 'member-unknown', { params: { name: 'nobody' } });
});

test('rules and classes are tried before they are put in force', async () => {
  const strict = { strategy: 'upload-download' };
  await olga.do('tryRules', { json: strict });
  assert.equal((await olga.do('getRules')).json.rules.strategy, 'free');
  await olga.do('changeRules', { json: strict });
  assert.equal((await olga.do('getRules')).json.isFromSite, true);
  await olga.do('resetRules');
  assert.equal((await olga.do('getRules')).json.isFromSite, false);

  const lines = ['Member', 'Friend: given 1 GiB'];
  assert.equal((await olga.do('tryClasses', { json: { lines } })).json.isWhole, true);
  await olga.do('changeClasses', { json: { lines } });
  assert.deepEqual((await olga.do('getClasses')).json.lines, lines);
  await olga.refused('changeClasses', 'classes-invalid', { json: { lines: ['Friend: soon'] } });
  await olga.do('resetClasses');
});

test('windows of credit open and end', async () => {
  const credit = { uploadCreditPercent: 100, downloadCreditPercent: 0 };
  const { json: made } = await olga.do('openCreditWindow', { json: { ...credit, infoHash: hash } });
  const { json } = await olga.do('listCreditWindows');
  const opened = json.items.find((one: { id: number }) => one.id === made.id);
  assert.equal(opened.torrent.infoHash, hash);
  assert.equal(opened.untilMs, null);
  await olga.do('endCreditWindow', { params: { id: made.id } });
  await olga.refused('endCreditWindow', 'not-found', { params: { id: made.id } });
  await olga.do('exemptTorrent', { params: { hash }, json: { isExempt: true } });
  const nobody = { ...credit, member: 'nobody' };
  await olga.refused('openCreditWindow', 'member-unknown', { json: nobody });
});

test('comments are written, changed by whose they are, kept with what they said, and removed', async () => {
  const { json: made } = await mina.do('writeComment', {
    params: { hash },
    json: { text: 'Good.' },
  });
  const params = { id: made.id };
  const piet = await TestApi.of(site, 'piet');
  await piet.refused('editComment', 'forbidden', { params, json: { text: 'Mine.' } });
  await mina.do('editComment', { params, json: { text: 'Very good.' } });
  await olga.do('editComment', { params, json: { text: 'Fine.' } });
  const { json: history } = await mina.do('getCommentHistory', { params });
  assert.deepEqual(
    history.items.map((one: { text: string }) => one.text),
    ['Very good.', 'Good.'],
  );
  assert.equal((await mina.do('listComments', { params: { hash } })).json.items[0].text, 'Fine.');
  const { json: log } = await olga.do('listStaffActions', { query: { limit: 1 } });
  assert.equal(log.items[0].action, 'commentEdit');
  await mina.do('removeComment', { params });
  await mina.refused('removeComment', 'not-found', { params });
});

test('bookmarks, thanks, collections and saved searches', async () => {
  const set = { params: { hash }, json: { isSet: true } };
  await mina.do('bookmarkTorrent', set);
  assert.equal((await mina.do('listBookmarks')).json.items[0].infoHash, hash);
  await mina.do('bookmarkTorrent', { ...set, json: { isSet: false } });
  assert.equal((await mina.do('listBookmarks')).json.items.length, 0);
  await mina.refused('thankForTorrent', 'thanks-own', set);
  await olga.do('thankForTorrent', set);
  await mina.do('listTorrentsNeedingSeeds');

  const { json: made } = await mina.do('makeCollection', { json: { title: 'Rain' } });
  const params = { id: made.id };
  await mina.do('collectTorrent', { params: { ...params, hash }, json: { isSet: true } });
  await olga.refused('collectTorrent', 'forbidden', {
    ...{ params: { ...params, hash }, json: { isSet: false } },
  });
  await mina.do('editCollection', { params, json: { title: 'All rain' } });
  const { json: collection } = await mina.do('getCollection', { params });
  assert.equal(collection.collection.title, 'All rain');
  assert.equal(collection.items[0].infoHash, hash);
  assert.equal((await mina.do('listCollections')).json.items.length, 1);
  await mina.do('removeCollection', { params });
  await mina.refused('getCollection', 'not-found', { params });

  const search = { name: 'wet', filters: 'q=rain&tags=csv' };
  const { json: saved } = await mina.do('saveSearch', { json: search });
  assert.equal((await mina.do('listSavedSearches')).json.items[0].filters, 'q=rain&tags=csv');
  await olga.refused('removeSavedSearch', 'not-found', { params: { id: saved.id } });
  await mina.do('removeSavedSearch', { params: { id: saved.id } });
  const { json: feeds } = await mina.do('getMyFeeds');
  await mina.do('resetFeedKey');
  assert.notEqual((await mina.do('getMyFeeds')).json.rss, feeds.rss);
});

test('a request is asked, offered for, refused, and withdrawn', async () => {
  const { json: made } = await mina.do('addRequest', { json: { title: 'Rain of 1953' } });
  const params = { id: made.id };
  await mina.refused('addBounty', 'points-missing', { params, json: { points: 5 } });
  const torrent = await site.addTorrent((await memberId('olga')) ?? 0, 'Rain of 1953', 41);
  await olga.do('offerTorrent', { params, json: { infoHash: torrent.infoHash } });
  const { json } = await mina.do('getRequest', { params });
  assert.equal(json.offered.title, 'Rain of 1953');
  const piet = await TestApi.of(site, 'piet');
  await piet.refused('decideOffer', 'forbidden', { params, json: { decision: 'accept' } });
  const decided = await mina.do('decideOffer', { params, json: { decision: 'refuse' } });
  assert.equal(decided.json.became, 'refused');
  assert.equal((await mina.do('listRequests')).json.items.length, 1);
  await mina.do('withdrawRequest', { params });
  assert.equal((await mina.do('listRequests')).json.items.length, 0);
});

async function memberId(name: string): Promise<number | undefined> {
  return (await olga.do('getManagedMember', { params: { name } })).json.id;
}

test('the staff reads reports, warns, notes and bans networks, and all of it is told', async () => {
  const about = { kind: 'torrent', subjectId: torrentId, words: 'It is not rain.' };
  await mina.do('report', { json: about });
  await mina.refused('report', 'reported', { json: about });
  await mina.refused('listReports', 'forbidden');
  const { json: reports } = await olga.do('listReports');
  const params = { id: reports.items[0].id };
  await olga.do('actOnReport', { params, json: { action: 'claim' } });
  await olga.do('actOnReport', { params, json: { action: 'release' } });
  const resolve = { action: 'resolve', outcome: 'fine', answer: 'It is.' };
  await olga.do('actOnReport', { params, json: resolve });
  assert.equal((await olga.do('getReport', { params })).json.outcome, 'fine');

  const name = { params: { name: 'piet' } };
  await olga.do('warnMember', { ...name, json: { reason: 'rude', days: 30 } });
  await olga.do('addNote', { ...name, json: { text: 'talked to him' } });
  const { json: moderation } = await olga.do('getModeration', name);
  assert.equal(moderation.notes[0].writtenBy.name, 'olga');
  const id = moderation.warnings[0].id;
  await olga.do('withdrawWarning', { params: { name: 'piet', id } });
  await olga.refused('withdrawWarning', 'not-found', { params: { name: 'piet', id } });

  await olga.refused('banNetwork', 'network-own', { json: { network: '10.0.0.0/24' } });
  const network = { network: '203.0.113.0/24', reason: 'noise' };
  const { json: ban } = await olga.do('banNetwork', { json: network });
  assert.equal((await olga.do('listBannedNetworks')).json.items.length, 1);
  await olga.do('endNetworkBan', { params: { id: ban.id } });
  const { json: log } = await olga.do('listStaffActions', { query: { limit: 50 } });
  const actions = new Set(log.items.map((one: { action: string }) => one.action));
  for (const action of ['consoleReport', 'consoleWarning', 'consoleNote', 'consoleNetworks']) {
    assert.ok(actions.has(action), action);
  }
});

test('a refused deed of the staff leaves a line that says so, and secrets stand in none', async () => {
  await olga.refused('setMemberRole', 'role-unknown', {
    ...{ params: { name: 'piet' }, json: { role: 'king' } },
  });
  const { json } = await olga.do('listStaffActions', { query: { limit: 2 } });
  assert.deepEqual(
    json.items.map((one: { action: string }) => one.action),
    ['refused', 'consoleMemberRole'],
  );
  assert.equal(json.items[1].words, 'role: king');
});

test('roles and what classes add', async () => {
  const params = { role: 'curator' };
  await olga.do('saveRole', { params, json: { permissions: ['browse', 'administer'] } });
  const { json } = await olga.do('listRoles');
  const made = json.roles.find((one: { name: string }) => one.name === 'curator');
  assert.deepEqual(made.permissions, ['browse']);
  await olga.do('removeRole', { params });
  await olga.refused('removeRole', 'not-found', { params });
  await olga.refused('saveRole', 'forbidden', {
    params: { role: 'admin' },
    json: { permissions: [] },
  });
  await olga.do('saveClassRights', { params: { place: 1 }, json: { permissions: ['share'] } });
  await olga.refused('saveClassRights', 'not-found', {
    ...{ params: { place: 9 }, json: { permissions: [] } },
  });
});

test('what a member does not show, others are not told, and the staff is', async () => {
  const params = { name: 'mina' };
  const piet = await TestApi.of(site, 'piet');
  assert.notEqual((await piet.do('getMember', { params })).json.moved, null);
  await mina.do('setMyPrivacy', { json: { shown: [] } });
  assert.deepEqual((await mina.do('getMyPrivacy')).json.shown, []);
  assert.equal((await piet.do('getMember', { params })).json.moved, null);
  assert.equal((await piet.do('getMember', { params })).json.seenMs, null);
  const { json: listed } = await piet.do('listMembers');
  const line = listed.items.find((one: { name: string }) => one.name === 'mina');
  assert.equal(line.moved, null);
  assert.notEqual((await olga.do('getMember', { params })).json.moved, null);
  assert.notEqual((await mina.do('getMember', { params })).json.moved, null);
});

test('applications are read and decided', async () => {
  assert.deepEqual((await olga.do('listApplications')).json.items, []);
  const decision = { params: { id: 7 }, json: { isAccepted: true } };
  const { json } = await olga.call('decideApplication', decision);
  assert.match(json.code, /application/);
});

test('a banned network is refused here too', async () => {
  const { json: ban } = await olga.do('banNetwork', { json: { network: '10.0.9.0/24' } });
  const there = site.browser('10.0.9.7');
  const page = await there.get('/api/v1/openapi.json');
  assert.equal(page.status, 403);
  assert.equal(page.headers.get('content-type'), 'application/problem+json');
  await olga.do('endNetworkBan', { params: { id: ban.id } });
  assert.equal((await there.get('/api/v1/openapi.json')).status, 200);
});

test('the operator’s desks: categories, clients, the log, what the archive looks for', async () => {
  await olga.do('addCategory', { json: { slug: 'weather', name: 'Weather' } });
  const params = { slug: 'weather' };
  await olga.do('renameCategory', { params, json: { name: 'The weather' } });
  await olga.do('moveCategoryUp', { params });
  const { json } = await olga.do('listCategoryCounts');
  const made = json.items.find((one: { slug: string }) => one.slug === 'weather');
  assert.deepEqual(made, { slug: 'weather', name: 'The weather', torrents: 0 });
  await olga.do('removeCategory', { params });

  await olga.do('setClients', { json: { allowed: [], denied: ['-XL'] } });
  assert.deepEqual((await olga.do('getClients')).json.lists.denied, ['-XL']);
  const wrong = { json: { allowed: ['a b'], denied: [] } };
  const problem = await olga.refused('setClients', 'request-invalid', wrong);
  assert.equal(problem.errors[0]?.field, 'allowed');
  await olga.do('resetClients');
  assert.equal((await olga.do('getClients')).json.isFromSite, false);

  const { json: log } = await olga.do('getLog');
  assert.ok(log.topics.some((one: { name: string }) => one.name === 'transfers'));
  await olga.do('keepTorrent', {
    params: { hash: (await site.addTorrent(minaId, 'Wanted', 77)).infoHash },
  });
  const { json: wanted } = await olga.do('listWantedTorrents');
  assert.equal(wanted.items[0].torrent.title, 'Wanted');
});

test('transfers and signals', async () => {
  const { json } = await olga.do('listTransfers');
  assert.equal(json.nextCursor, '0');
  assert.equal((await olga.do('listSignals')).json.total, 0);
  await olga.refused('dismissSignal', 'not-found', { params: { id: 1 } });
});

test('tags are renamed and joined', async () => {
  assert.deepEqual((await olga.do('listTags')).json.items, []);
  await olga.refused('changeTag', 'tag-unknown', { json: { from: 'nothing', into: 'more' } });
  const json = { title: 'Survey', tags: ['map'] };
  await mina.do('editTorrent', { params: { hash }, json });
  const { json: done } = await olga.do('changeTag', { json: { from: 'map', into: 'Maps' } });
  assert.deepEqual(done, { from: 'map', into: 'maps', isDone: true });
  assert.deepEqual((await olga.do('listTags')).json.items, [{ name: 'maps', torrents: 1 }]);
});

test('a site that knows nothing of its machine', async () => {
  await olga.refused('listStores', 'not-found');
  assert.deepEqual((await olga.do('listNodes')).json.items, []);
  await olga.refused('getLogging', 'not-found');
  await olga.refused('setLogLevel', 'not-found', { json: { level: 'debug' } });
  await olga.refused('resetLogLevels', 'not-found');
});

test('covers of a site that keeps no pictures', async () => {
  const params = { hash };
  const sent = { params, bytes: new Uint8Array(1), headers: { 'content-type': 'image/png' } };
  await mina.refused('setTorrentCover', 'not-found', sent);
  await mina.refused('setTorrentCover', 'type-unknown', { params, bytes: new Uint8Array(1) });
  await mina.refused('getTorrentCover', 'not-found', { params });
  await mina.do('removeTorrentCover', { params });
});

test('every route is called by a test', () => {
  const tests = globSync(new URL('*.test.ts', import.meta.url).pathname)
    .map((path) => readFileSync(path, 'utf8'))
    .join('');
  const left = API_ROUTES.filter((route) => !tests.includes(`'${route.name}'`));
  assert.deepEqual(
    left.map((route) => route.name),
    [],
  );
});
