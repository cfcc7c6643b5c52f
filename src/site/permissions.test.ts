// Every route, method and role against the one table, through the running site.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type Method,
  PERMISSIONS,
  ROLES,
  ROUTE_RULES,
  type RoleOrVisitor,
  roleMay,
} from './permissions.ts';
import { permissionsPage } from './permissions-page.ts';
import { ROUTES, type RouteName } from './routes.ts';
import { type TestBrowser, TestSite } from './test-site.ts';

const METHODS: readonly Method[] = ['GET', 'POST'];
const NAMES = Object.keys(ROUTES) as RouteName[];
/** Stops every admitted POST before it does anything. */
const HARMLESS_FORM = { csrf: 'not the token' };

let site: TestSite;
let browsers: Record<RoleOrVisitor, TestBrowser>;

before(async () => {
  site = await TestSite.open();
  await site.addMember('olga', 'admin');
  await site.addMember('mina');
  await site.addMember('moss', 'moderator');
  browsers = {
    admin: await site.signedIn('olga'),
    moderator: await site.signedIn('moss'),
    member: await site.signedIn('mina'),
    visitor: site.browser(),
  };
});

after(async () => {
  await site.close();
});

/** A path of the route that exists where that is possible. */
function pathOf(name: RouteName): string {
  // A stream without an end would never be read to it: this one is refused after it was let in.
  const query = name === 'transferEvents' ? '?from=99' : '';
  const path = ROUTES[name].replaceAll(/:(\w+)/g, (_, param: string) =>
    param === 'name' ? 'mina' : '1',
  );
  return path + query;
}

for (const role of ['visitor', ...ROLES] as const) {
  for (const method of METHODS) {
    test(`${role} is let in by ${method} exactly where the table says so`, async () => {
      for (const name of NAMES) {
        const permission = ROUTE_RULES[name][method];
        const path = pathOf(name);
        const browser = browsers[role];
        const page =
          method === 'GET' ? await browser.get(path) : await browser.post(path, HARMLESS_FORM);
        const what = `${method} ${path} as ${role}: ${page.status} ${page.location}`;
        if (permission === undefined) {
          assert.equal(page.status, 405, what);
          continue;
        }
        if (roleMay(role, permission)) {
          const isFormStopped = method === 'POST' && page.status === 403;
          if (method === 'POST') assert.ok(isFormStopped, what);
          if (method === 'POST') assert.match(page.text, /form is too old/, what);
          else assert.ok([200, 303, 404, 416].includes(page.status), what);
          assert.doesNotMatch(page.location, /sign-in\?next/, what);
        } else if (role !== 'visitor') {
          assert.equal(page.status, 403, what);
          assert.match(page.text, /not open to you/, what);
        } else if (method === 'POST') {
          assert.equal(page.status, 401, what);
        } else {
          assert.equal(page.status, 303, what);
          assert.match(page.location, /^\/sign-in/, what);
        }
      }
    });
  }
}

test('a handler stands behind every method of the table, and behind nothing else', async () => {
  for (const name of NAMES) {
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      const request = new Request(`http://127.0.0.1:8080${pathOf(name)}`, { method });
      const page = await browsers.admin.send(request);
      assert.equal(page.status, 405, `${method} ${pathOf(name)}`);
      const allowed = page.headers.get('allow')?.split(', ') ?? [];
      assert.deepEqual(
        allowed.toSorted(),
        METHODS.filter((each) => ROUTE_RULES[name][each] !== undefined).toSorted(),
      );
    }
  }
});

test('the table itself: the console is for the staff, and only entrances take forms from visitors', () => {
  // A share asks for its token, which nobody guesses, and its password.
  const shares = ['share', 'shareContent', 'sharePreview', 'shareSeed'];
  const entrances = [
    'theme',
    'firstRun',
    'signIn',
    'signInCode',
    'signInByKey',
    'forgot',
    'resetPassword',
    'emailConfirm',
    'signUp',
    'join',
    ...shares,
  ];
  // What programs ask for by the key of a feed.
  const keyed = ['application', 'feedRss', 'feedAtom', 'feedTorrent', 'torznab'];
  const docs = ['docs', 'doc', 'docInFolder', 'docBelow'];
  for (const name of NAMES) {
    const { GET, POST } = ROUTE_RULES[name];
    for (const permission of [GET, POST]) {
      if (permission === undefined) continue;
      const isConsole = ROUTES[name].startsWith('/console');
      const isStaffs = permission === 'administer' || permission === 'moderate';
      assert.equal(isStaffs, isConsole, name);
    }
    if (POST === 'anyone') assert.ok(entrances.includes(name), name);
    if (GET === 'anyone')
      assert.ok([...entrances, ...keyed, ...docs, 'home', 'assets'].includes(name), name);
  }
});

test('the page about permissions names every route and every permission', () => {
  const page = permissionsPage('made');
  for (const path of Object.values(ROUTES)) assert.ok(page.includes(`\`${path}\``), path);
  for (const name of Object.keys(PERMISSIONS)) assert.ok(page.includes(`\`${name}\``), name);
});

test('HEAD is answered like GET, without a body', async () => {
  const request = new Request('http://127.0.0.1:8080/sign-in', { method: 'HEAD' });
  const page = await browsers.visitor.send(request);
  assert.equal(page.status, 200);
  assert.equal(page.text, '');
});
