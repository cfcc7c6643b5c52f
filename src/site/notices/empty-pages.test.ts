// A page without lines says why, and leads on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestSite } from '#site/test-site.ts';

const PAGES = [
  ...['/torrents', '/requests', '/collections', '/needs-seeds', '/me/notices', '/me/bookmarks'],
  ...['/me/searches', '/me/keys', '/me/invites/tree', '/members/mina'],
];

test('a page on which there is nothing yet has a link or a button to the next step', async () => {
  const site = await TestSite.open();
  await site.addMember('mina');
  const mina = await site.signedIn('mina');
  for (const path of PAGES) {
    const { text, status } = await mina.get(path);
    assert.equal(status, 200, path);
    const empty = /<div class="empty">.*?<\/p>(.*?)<\/div>/s.exec(text);
    assert.ok(empty !== null, `${path} has nothing to say that it is empty`);
    assert.match(empty[1] ?? '', /<a class="button|<form/, path);
  }
  await site.close();
});
