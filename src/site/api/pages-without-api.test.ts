import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Method, ROUTE_RULES } from '#site/permissions.ts';
import { ROUTES, type RouteName } from '#site/routes.ts';
import { API_ROUTES } from './all-routes.ts';
import { PAGES_WITHOUT_API } from './pages-without-api.ts';

const COVERED = new Set<string>(API_ROUTES.flatMap((route) => route.pages));

function deeds(): { name: RouteName; deed: string }[] {
  return (Object.keys(ROUTES) as RouteName[]).flatMap((name) =>
    (['GET', 'POST'] as Method[])
      .filter((method) => ROUTE_RULES[name][method] !== undefined)
      .map((method) => ({ name, deed: `${method} ${name}` })),
  );
}

test('everything that a page does, a route of the API does too, or it is said why none does', () => {
  const missing = deeds().filter(
    ({ name, deed }) => !COVERED.has(deed) && PAGES_WITHOUT_API[name] === undefined,
  );
  const words = 'name them in `pages` of a route, or say why not in pages-without-api.ts';
  assert.deepEqual(
    missing.map(({ deed }) => deed),
    [],
    words,
  );
});

test('no reason is given for a page that has a route, and no route names a page that is not there', () => {
  const there = new Set(deeds().map(({ deed }) => deed));
  for (const deed of COVERED) assert.ok(there.has(deed), deed);
  for (const name of Object.keys(PAGES_WITHOUT_API) as RouteName[]) {
    const both = deeds().filter((one) => one.name === name && COVERED.has(one.deed));
    assert.deepEqual(both, [], name);
  }
});

test('a route demands what the page that it stands for demands', () => {
  for (const route of API_ROUTES) {
    for (const deed of route.pages) {
      const [method, name] = deed.split(' ') as [Method, RouteName];
      const wanted = ROUTE_RULES[name][method];
      // A page may be open to more, such as the start that shows the list to members.
      if (wanted === 'anyone' || wanted === route.permission) continue;
      assert.fail(`${route.name} demands ${route.permission}, ${deed} demands ${wanted}`);
    }
  }
});
