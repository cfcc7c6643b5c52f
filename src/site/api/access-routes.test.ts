// By the API: what the staff do for members who cannot come in, and who keeps copies.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addKeeper } from '#archive/keepers/keeper-book.ts';
import { listActions } from '#site/staff-log/staff-log.ts';
import { type TestPage, TestSite } from '#site/test-site.ts';
import { API_PREFIX } from './api-route.ts';
import { compared, routeOf, STAFF_SCOPES, TestApi } from './test-api.ts';

test('links for new passwords and lost factors are for sessions alone, and stand in the staff log', async () => {
  const site = await TestSite.open();
  try {
    const { id } = await site.addMember('mina');
    await site.addMember('olga', 'admin');
    const token = await TestApi.of(site, 'olga', STAFF_SCOPES);
    const params = { name: 'mina' };
    await token.refused('makeResetLink', 'session-only', { params });
    await token.refused('removeSecondFactor', 'session-only', { params });

    const olga = await site.signedIn('olga');
    const { csrfToken } = JSON.parse((await olga.get(`${API_PREFIX}/me`)).text) as {
      csrfToken: string;
    };
    const call = async (name: string, of: string): Promise<TestPage> => {
      const route = routeOf(name);
      const path = `${API_PREFIX}${route.path.replace(':name', of)}`;
      const headers = { 'x-csrf-token': csrfToken };
      const init = { method: route.method, headers };
      const page = await olga.send(new Request(`http://127.0.0.1:8080${path}`, init));
      compared(route, page);
      return page;
    };
    const links: string[] = [];
    for (let at = 0; at < 2; at++) {
      const made = await call('makeResetLink', 'mina');
      links.push(new URL((JSON.parse(made.text) as { url: string }).url).pathname);
    }
    assert.equal((await call('makeResetLink', 'nobody')).status, 404);
    // The newest alone is good, and once.
    const password = { password: 'heron under the bridge' };
    const [old = '', newest = ''] = links;
    const guest = site.browser();
    assert.notEqual((await guest.get(old)).status, 200);
    await guest.get(newest);
    assert.equal((await guest.post(newest, password)).status, 303);
    const again = site.browser();
    await again.get('/sign-in');
    assert.notEqual((await again.post(newest, password)).status, 303);

    assert.equal((await call('removeSecondFactor', 'mina')).status, 204);
    assert.equal((await call('removeSecondFactor', 'nobody')).status, 404);
    const lines = await listActions(site.sql, { limit: 10 });
    const told = lines.filter(({ subject }) => subject === `member ${id}`);
    assert.deepEqual(
      told.map(({ action }) => action),
      ['consoleMemberFactor', 'consoleMemberReset', 'consoleMemberReset'],
    );
  } finally {
    await site.close();
  }
});

test('keepers are listed with what they hold, without their secrets', async () => {
  const site = await TestSite.open();
  try {
    const mina = await site.addMember('mina');
    await site.addMember('olga', 'admin');
    const olga = await TestApi.of(site, 'olga', STAFF_SCOPES);
    assert.deepEqual((await olga.do('listKeepers')).json, { items: [] });
    await addKeeper(site.world, { name: 'attic', memberId: mina.id, bytesMax: 9, isSealed: true });
    await addKeeper(site.world, { name: 'cellar', memberId: 0, bytesMax: 9, isSealed: false });
    const { items } = (await olga.do('listKeepers')).json as {
      items: readonly {
        readonly name: string;
        readonly member: unknown;
        readonly isSealed: boolean;
      }[];
    };
    assert.deepEqual(
      items.map(({ name, member, isSealed }) => ({ name, member, isSealed })),
      [
        { name: 'attic', member: { memberId: mina.id, name: 'mina' }, isSealed: true },
        { name: 'cellar', member: null, isSealed: false },
      ],
    );
    const piet = await TestApi.of(site, 'mina');
    await piet.refused('listKeepers', 'forbidden');
  } finally {
    await site.close();
  }
});
