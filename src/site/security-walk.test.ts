// What must not be possible, tried on every page and every form that there is, found by opening whatever
// links lead to (test-walk.ts): markup in any field, opening pages that changes something, forms that
// somebody else's page sends, things of another member, secrets on packed pages, missing headers.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql as raw } from 'kysely';
import { findMember } from './accounts/members.ts';
import { makeTorrent } from './catalogue/test-catalogue.ts';
import { davKey } from './downloads/dav-key.ts';
import { PACKABLE_ROUTES } from './packing.ts';
import { ROUTE_RULES } from './permissions.ts';
import { ROUTES, type RouteName } from './routes.ts';
import { SCRIPT_POLICY } from './security-headers.ts';
import { TEST_PASSWORD, type TestBrowser, TestSite } from './test-site.ts';
import { filled, routeOf, type Walk, type WalkedForm, walkSite } from './test-walk.ts';
import type { JobView } from './world.ts';

let site: TestSite;
let admin: TestBrowser;
let nora: TestBrowser;
let adminWalk: Walk;
let noraWalk: Walk;
let visitorWalk: Walk;
let invite = '';
let walks: readonly Walk[];
/** What was typed where, by the number that stands in it: `route.field`. */
const typed = new Map<number, string>();
const sentForms = new Set<string>();
/** Where forms led to. */
const found = new Set([
  '/',
  '/torrents?q=coastal',
  '/console/jobs/ratio-watch',
  '/me/searches',
  '/console/tags/change?from=coast&into=sea',
]);

const JOB: JobView = {
  ...{ name: 'ratio-watch', summary: 'Judges every member.', isPaused: false },
  ...{ isRequested: false, nextRunMs: 1000, failures: 0, progress: undefined, lastRun: undefined },
};

/** Pages that no link leads to here, or not without what the archive gives; and whose tests they have. */
const NOT_MET: Readonly<Partial<Record<RouteName, string>>> = {
  firstRun: 'once, before there is a member: accounts/journeys.test.ts',
  signInCode: 'in the middle of signing in: second-factor/second-factor.test.ts',
  resetPassword: 'by a letter: recovery/recovery.test.ts',
  emailConfirm: 'by a letter: recovery/recovery.test.ts',
  application: 'by a link shown once: applications/applications.test.ts',
  consoleApplication: 'of somebody who applied: applications/applications.test.ts',
  me: 'leads to the profile',
  liveCounts: 'a stream: live/live.test.ts',
  transferEvents: 'a stream: transfers/transfer-events.test.ts',
  torznab: 'for programs: feeds/feeds.test.ts',
  feedTorrent: 'for programs: feeds/feeds.test.ts',
  consoleMemberInvited: 'of members who invited: accounts/invite-tree.test.ts',
  consoleRulesReset: 'once rules were changed: console/jobs-and-rules.test.ts',
  secondFactorOff: 'while there is a second factor: second-factor/second-factor.test.ts',
};
const BY_THE_ARCHIVE =
  /^(shares?|share[A-Z].*|webDav|contribute|torrent(Share|Preview|Content|Cover|Magnet|Files|Token))$/;
const OF_DOCS = /^doc/;

before(async () => {
  site = await TestSite.open({ mailer: { send: async () => undefined } as never });
  await site.addMember('olga', 'admin');
  const { id } = await site.addMember('nora');
  for (const name of ['mina', 'rosa']) await site.addMember(name);
  await site.addTorrent(id, 'Coastal survey');
  admin = await site.signedIn('olga');
  nora = await site.signedIn('nora');
  site.jobs.views.push(JOB);
  const name = '\'"><svg onload=alert(1)>&lt;';
  const bytes = await makeTorrent({ name, seed: 3, files: { [`${name}/a.txt`]: 9 }, source: name });
  await nora.get('/upload');
  const sent = await nora.post('/upload', { file: new Blob([new Uint8Array(bytes)]) });
  found.add(sent.location);
  for (const browser of [nora, admin, nora, admin]) {
    for (const form of (await walkSite(browser, [...found])).forms) await send(browser, form);
  }
  adminWalk = await walkSite(admin, [...found]);
  noraWalk = await walkSite(nora, [...found]);
  await nora.get('/me/invites');
  const made = await nora.post('/me/invites', { note: 'for a friend' });
  invite = /\/join\/[\w-]{43}/.exec(made.text)?.[0] ?? '';
  const entrances = ['/', '/sign-in', '/sign-in/key', '/sign-in/forgotten', '/sign-up', invite];
  visitorWalk = await walkSite(site.browser('10.0.0.7'), entrances);
  walks = [adminWalk, noraWalk, visitorWalk];
});

after(async () => {
  await site.close();
});

/** Ends what the others need; somebody else sends each of them below. */
const ENDING =
  /^(signOut|theme|consoleTagChange)$|(Remove|Revoke|RevokeAll|Erase|Withdraw|End|Reset|Discard|Off)$/;
/** Of fields that take only some texts, so that the others of their form are kept. */
const PLAUSIBLE: Readonly<Record<string, string>> = {
  'email.address': 'nora@example.org',
  'consoleNetworks.network': '203.0.113.0/24',
  'consoleRoles.name': 'friend',
  ...{ days: '3', points: '1', bounty: '1', tags: 'coast, survey', count: '1' },
};

async function send(browser: TestBrowser, form: WalkedForm): Promise<void> {
  const key = `${form.route} ${form.path} ${form.fields.map(({ name }) => name).join(' ')}`;
  if (ENDING.test(form.route) || sentForms.has(key)) return;
  sentForms.add(key);
  if (/(Ban|Unban|Role)$/.test(form.route) && !form.path.includes('rosa')) return;
  for (const isPlausible of [false, true]) {
    const fields: Record<string, string> = {};
    for (const { name, kind, charsMax } of form.fields) {
      const plausible = PLAUSIBLE[`${form.route}.${name}`] ?? PLAUSIBLE[name];
      if (kind === 'password') fields[name] = TEST_PASSWORD;
      if (kind !== 'text' && kind !== 'figure') continue;
      if (kind === 'figure' && isPlausible && plausible === undefined) continue;
      const isKept = isPlausible && plausible !== undefined;
      fields[name] = isKept ? plausible : markup(`${form.route}.${name}`, charsMax);
    }
    const { location } = await browser.post(form.path, filled(form, fields));
    if (location.startsWith('/')) found.add(location.replace(/#.*$/, ''));
  }
}

/** Begins with what is enough by itself, since fields have bounds. */
function markup(where: string, charsMax: number): string {
  const number = typed.size + 1;
  typed.set(number, where);
  const text = `<b x${number}>"'</textarea></title><script>alert(1)</script><img src=y onerror=z>`;
  return text.slice(0, Math.min(charsMax, text.length));
}

/** All that was opened, as `[who, path, page]`. */
function* opened() {
  for (const [at, walk] of walks.entries()) {
    for (const [path, page] of walk.pages)
      yield [`${['admin', 'nora', 'visitor'][at]} ${path}`, path, page] as const;
  }
}

test('links lead to every page that there is, and none of them fails', () => {
  const met = new Set(walks.flatMap((walk) => [...walk.routes]));
  const missed = (Object.keys(ROUTES) as RouteName[]).filter(
    (name) =>
      ROUTE_RULES[name].GET !== undefined &&
      !met.has(name) &&
      NOT_MET[name] === undefined &&
      !BY_THE_ARCHIVE.test(name) &&
      !OF_DOCS.test(name),
  );
  assert.deepEqual(missed, [], 'link to it, or say in NOT_MET what tests it');
  for (const [who, , page] of opened()) assert.ok(page.status < 500, `${who}: ${page.status}`);
  assert.deepEqual(
    site.lines.filter((line) => line.level === 'error'),
    [],
  );
});

test('whatever is typed into any field of any form is text wherever it is shown', () => {
  const shown = new Set<string>();
  for (const [who, , page] of opened()) {
    const type = page.headers.get('content-type') ?? '';
    if (!/html|xml/.test(type)) continue;
    for (const [, number] of page.text.matchAll(/b x(\d+)&gt;/g)) {
      shown.add(typed.get(Number(number)) ?? '');
    }
    assert.doesNotMatch(page.text, /<b x|<svg onload|<img src=y|<\/title>&quot;|<script>/, who);
    assert.doesNotMatch(
      page.text,
      /<script(?! src="\/assets\/[0-9a-f]{16}\/[\w-]+\.js" defer>)/,
      who,
    );
    assert.doesNotMatch(page.text, /b x\d+(&gt;|>)["']/, `${who}: a quote ends an attribute`);
    assert.doesNotMatch(page.text, / on\w+="|href="(?!\/|#|https?:|mailto:|magnet:|\?|&#)/, who);
  }
  const sent = new Set(typed.values());
  const forms = walks.slice(0, 2).flatMap((walk) => walk.forms);
  const untyped = forms
    .filter(({ route }) => !ENDING.test(route) && !/(Ban|Unban|Role)$/.test(route))
    .flatMap(({ route, fields }) =>
      fields.map(({ kind, name }) => ({ kind, at: `${route}.${name}` })),
    )
    .filter(({ kind, at }) => kind === 'text' && !sent.has(at));
  assert.deepEqual(untyped, [], 'fields into which nothing was typed');
  assert.ok(shown.size >= 30, `only ${shown.size} fields were shown: ${[...shown].join(' ')}`);
});

test('every page has the headers, and one without a script may run none', () => {
  for (const [who, path, page] of opened()) {
    const { headers, text } = page;
    const policy = headers.get('content-security-policy') ?? '';
    assert.match(policy, /^default-src 'none'; .*frame-ancestors 'none'; base-uri 'none'/, who);
    assert.doesNotMatch(policy, /unsafe|\*|http/, who);
    assert.equal(policy === SCRIPT_POLICY, / src="[^"]+\.js" defer/.test(text), who);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', who);
    assert.equal(headers.get('x-frame-options'), 'DENY', who);
    assert.equal(headers.get('referrer-policy'), 'same-origin', who);
    assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin', who);
    const isAsset = routeOf(path) === 'assets';
    assert.equal(/public/.test(headers.get('cache-control') ?? 'public'), isAsset, who);
    const isScript = /script/.test(headers.get('content-type') ?? '');
    assert.ok(!isScript || isAsset, `${who} is a script`);
    for (const cookie of headers.getSetCookie()) {
      assert.match(cookie, /HttpOnly; SameSite=Lax|=; Max-Age=0/, who);
    }
  }
});

test('no page that may be packed has on it what opens something', async () => {
  const secrets = await secretsOf('nora', nora, noraWalk);
  let packable = 0;
  for (const [path, page] of noraWalk.pages) {
    const route = routeOf(path);
    if (route === undefined || !PACKABLE_ROUTES.has(route)) continue;
    packable++;
    for (const [what, secret] of secrets)
      assert.ok(!page.text.includes(secret), `${path}: ${what}`);
  }
  assert.ok(packable >= 10, `${packable} pages`);
});

test('no page and no form leads to another site', async () => {
  for (const [who, , page] of opened()) assert.match(page.location, /^($|\/(?![/\\]))/, who);
  let ways = 0;
  for (const form of noraWalk.forms.filter(({ route }) => route === 'theme')) {
    for (const { name, value } of form.fields.filter((field) => field.value.startsWith('/'))) {
      assert.equal(value, form.from);
      for (const away of ['//evil.example', '/\\evil.example', 'https://evil.example', '/a\nb']) {
        assert.equal((await nora.post(form.path, filled(form, { [name]: away }))).location, '/');
        ways++;
      }
      break;
    }
  }
  assert.ok(ways > 0);
  const others = walks
    .flatMap((walk) => walk.forms)
    .filter(
      ({ route, fields }) =>
        route !== 'theme' &&
        fields.some(({ kind, value }) => kind === 'hidden' && value.startsWith('/')),
    );
  assert.deepEqual(
    others.map(({ route }) => route),
    [],
    'another form that says where it leads',
  );
});

test('opening any page changes nothing', async () => {
  const before = await everything();
  for (const [browser, walk] of [
    [admin, adminWalk],
    [nora, noraWalk],
  ] as const) {
    for (const path of walk.pages.keys()) await browser.get(path);
  }
  const after = await everything();
  for (const [table, rows] of after) {
    if (['session', 'staff_log'].includes(table)) continue;
    assert.deepEqual(rows, before.get(table), table);
  }
});

test('no form is taken that another site sends, whoever is signed in', async () => {
  const foreign = { 'sec-fetch-site': 'cross-site' };
  const old = { origin: 'https://evil.example' };
  await admin.get('/torrents');
  for (const [name, path] of Object.entries(ROUTES) as [RouteName, string][]) {
    if (ROUTE_RULES[name].POST === undefined) continue;
    for (const headers of [foreign, old]) {
      const page = await admin.post(path.replaceAll(/:\w+/g, '1'), {}, headers);
      assert.equal(page.status, 403, name);
      assert.match(page.text, /came from somewhere else/, name);
    }
  }
});

test('no form does anything to what another member has, and no page of theirs is shown', async () => {
  const mina = await site.signedIn('mina');
  await mina.get('/torrents');
  minaId = (await findMember(site.sql, 'mina'))?.id ?? 0;
  const secrets = await secretsOf('nora', nora, noraWalk);
  for (const [path] of noraWalk.pages) {
    // Whoever has the address of a feed is let in by it.
    if (path.startsWith('/feeds/')) continue;
    const page = await mina.get(path);
    for (const [what, secret] of secrets)
      assert.ok(!page.text.includes(secret), `${path}: ${what}`);
  }
  const before = await everything();
  const tried = new Set<RouteName>();
  for (const form of noraWalk.forms) {
    if (['signOut', 'sessionsRevokeAll', 'accountErase', 'theme'].includes(form.route)) continue;
    tried.add(form.route);
    const fields: Record<string, string> = {};
    for (const { name, kind } of form.fields) {
      if (kind === 'password') fields[name] = TEST_PASSWORD;
      if (kind === 'text') fields[name] = PLAUSIBLE[name] ?? 'changed by mina';
    }
    await mina.post(form.path, filled(form, fields));
  }
  for (const name of [
    'commentRemove',
    'collectionEdit',
    'requestWithdraw',
    'inviteRevoke',
    'sessionRevoke',
    'torrentEdit',
    'torrentRemove',
    'uploadDiscard',
    'apiTokenRemove',
  ] as const) {
    assert.ok(tried.has(name), `${name} was not tried`);
  }
  const after = await everything();
  for (const [table, rows] of before) {
    const now = new Set(after.get(table));
    const gone = rows.filter((row) => !now.has(row) && !isMinas(table, row));
    assert.deepEqual(gone, [], `rows of ${table} that are not mina's`);
  }
});

/** What opens something, by what it is. */
async function secretsOf(
  name: string,
  browser: TestBrowser,
  walk: Walk,
): Promise<ReadonlyMap<string, string>> {
  const member = (await findMember(site.sql, name)) ?? assert.fail(`${name} is gone`);
  const all = [...walk.pages.values()].map((page) => page.text).join('\n');
  const secrets = new Map([
    ['passkey', member.passkey],
    ['WebDAV key', davKey(member)],
    ['session', browser.cookies.get('swarmkeep') ?? ''],
    ['feed key', /\/feeds\/([\w-]{20,})\//.exec(all)?.[1] ?? ''],
    ['invite', invite],
    ['e-mail', 'nora@example.org'],
  ]);
  for (const [what, secret] of secrets) assert.ok(secret.length > 10, what);
  return secrets;
}

/** Every row of every table that people's deeds are in, as text. */
async function everything(): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await raw<{ name: string }>`select name from sqlite_master where type = 'table'
    and name not like 'sqlite_%' and name not like 'torrent_search%' and name not like 'search%'`.execute(
    site.sql.read(),
  );
  const tables = new Map<string, readonly string[]>();
  for (const { name } of rows) {
    const { rows: all } = await raw<
      Record<string, unknown>
    >`select * from ${raw.table(name)}`.execute(site.sql.read());
    tables.set(
      name,
      all
        .map((row) =>
          JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
        )
        .toSorted(),
    );
  }
  return tables;
}

let minaId = 0;

/** Somebody's own row: it names them. */
function isMinas(table: string, row: string): boolean {
  const columns = JSON.parse(row) as Record<string, unknown>;
  if (table === 'member') return columns['id'] === minaId;
  return Object.entries(columns).some(
    ([name, value]) => /member|author|by|uploader/.test(name) && value === minaId,
  );
}
