// The counts that open pages show, as they change.

import assert from 'node:assert/strict';
import type { ReadableStreamReadResult } from 'node:stream/web';
import { test } from 'node:test';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { banMember } from '#site/accounts/members.ts';
import { banAddress } from '#site/moderation/address-bans.ts';
import { Refusal } from '#site/refusal.ts';
import { TestSite } from '#site/test-site.ts';
import { STREAMS_OF_MEMBER_MAX } from './live-counts.ts';

interface Reader {
  /** Everything that has come by now. */
  text(): Promise<string>;
  close(): Promise<void>;
}

async function withSite(
  run: (site: TestSite, ids: readonly number[]) => Promise<void>,
  config: NonNullable<Parameters<typeof TestSite.open>[0]>['config'] = {},
): Promise<void> {
  const site = await TestSite.open({ config });
  try {
    const { id } = await site.addMember('olga');
    const first = await site.addTorrent(id, 'Coastal survey', 1);
    const second = await site.addTorrent(id, 'Bird calls', 2);
    await run(site, [first.id, second.id]);
  } finally {
    await site.close();
  }
}

async function open(site: TestSite, cookie: string, torrents: string) {
  const url = `http://127.0.0.1:8080/live/counts?torrents=${torrents}`;
  const ender = new AbortController();
  const request = new Request(url, { headers: { cookie }, signal: ender.signal });
  const answer = await site.site.fetch(request, { peerAddress: '10.0.0.1' });
  const from = answer.body?.getReader();
  let wait: Promise<ReadableStreamReadResult<Uint8Array>> | undefined;
  const reader: Reader = {
    async text() {
      let text = '';
      for (;;) {
        wait ??= from?.read();
        const part = await Promise.race([wait, new Promise((then) => setImmediate(then, 'none'))]);
        if (part === 'none' || part === undefined) return text;
        wait = undefined;
        const { value, done } = part as ReadableStreamReadResult<Uint8Array>;
        if (done) return `${text}END`;
        text += Buffer.from(value).toString();
      }
    },
    close: async () => await from?.cancel(),
  };
  return { answer, reader, ender };
}

async function cookieOf(site: TestSite, name: string): Promise<string> {
  const browser = await site.signedIn(name);
  return [...browser.cookies].map((pair) => pair.join('=')).join('; ');
}

const rowsOf = (text: string): Record<string, Record<string, string>> =>
  JSON.parse(/data: (.+)\n\n$/.exec(text)?.[1] ?? '{}');

test('a page is told all it shows at first, and then what changes, by one timer', async () => {
  await withSite(async (site, [first = 0, second = 0]) => {
    const cookie = await cookieOf(site, 'olga');
    site.counts.set(first, { seeders: 1, leechers: 0, completed: 1203 });
    const both = await open(site, cookie, `${first},${second},nonsense,${first}`);
    assert.equal(both.answer.headers.get('content-type'), 'text/event-stream');
    const begun = await both.reader.text();
    assert.match(begun, /^retry: [3-7]\d{3}\n\n/);
    assert.deepEqual(rowsOf(begun), {
      [first]: { s: '1', l: '0', c: '1,203', h: 'warn One seeder', w: '1 seeder, 0 leechers' },
      [second]: { s: '0', l: '0', h: 'none Nobody here', w: '0 seeders, 0 leechers' },
    });
    const one = await open(site, cookie, String(second));
    assert.match(rowsOf(await one.reader.text())[second]?.['v'] ?? '', /No client is here/);
    let looks = 0;
    const counts = site.world.swarms.counts.bind(site.world.swarms);
    site.world.swarms.counts = (torrentId) => {
      looks++;
      return counts(torrentId);
    };
    site.clock.advance(2000);
    assert.equal(looks, 2, 'each torrent once a round, whoever shows it');
    assert.equal(await both.reader.text(), '', 'what did not change is not told');
    site.counts.set(second, { seeders: 2, leechers: 1, completed: 1 });
    site.clock.advance(2000);
    const expected = { s: '2', l: '1', c: '1', h: 'good Seeded', w: '2 seeders, 1 leecher' };
    assert.deepEqual(rowsOf(await both.reader.text()), { [second]: expected });
    const verdict = { v: '2 clients keep all of it alive.', k: '2 clients keep all of it alive.' };
    assert.deepEqual(rowsOf(await one.reader.text()), { [second]: { ...expected, ...verdict } });
    await both.reader.close();
    one.ender.abort();
    looks = 0;
    site.clock.advance(60_000);
    assert.equal(looks, 0, 'nobody looks while no page is open');
  });
});

test('a stream says that it lives, and ends so that its reader is asked again who they are', async () => {
  await withSite(async (site, [first = 0]) => {
    const cookie = await cookieOf(site, 'olga');
    const { reader } = await open(site, cookie, String(first));
    await reader.text();
    site.clock.advance(16_000);
    assert.equal(await reader.text(), ':\n\n');
    site.clock.advance(120_000);
    assert.match(await reader.text(), /END$/);
    const { answer } = await open(site, 'swarmkeep=gone', String(first));
    assert.equal(answer.status, 303);
  });
});

test('a stream ends in the next round when its member, its network or its session is let in no more', async () => {
  const endings: Readonly<Record<string, (site: TestSite) => Promise<unknown>>> = {
    member: (site) => banMember({ ...site.world, passwords: site.passwords }, 'mina', 'Was rude'),
    network: (site) =>
      banAddress(site.world, {
        ...{ network: '10.0.0.0/24', reason: '', bannedBy: 1 },
        ...{ untilMs: undefined, ownAddress: '10.9.9.9' },
      }),
    session: async (site) => {
      await site.sql.transaction<AccountTables, void>(async (transaction) => {
        await transaction.deleteFrom('session').where('member_id', '=', 2).execute();
      });
    },
  };
  for (const [what, end] of Object.entries(endings)) {
    await withSite(async (site, [first = 0]) => {
      await site.addMember('mina');
      const { reader } = await open(site, await cookieOf(site, 'mina'), String(first));
      await reader.text();
      const ended = await end(site);
      assert.ok(!(ended instanceof Refusal), what);
      assert.equal(await endOf(site, reader), 'END', what);
    });
  }
});

/** What a stream says within a few rounds: long before it would end by itself. */
async function endOf(site: TestSite, reader: Reader): Promise<string> {
  for (let round = 0; round < 8; round++) {
    site.clock.advance(2000);
    // The database is asked in between.
    for (let wait = 0; wait < 300; wait++) {
      const text = await reader.text();
      if (text !== '') return text;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  return 'nothing';
}

test('streams have bounds for a member and for all, and a slow reader holds a few texts', async () => {
  const config = { liveStreamsMax: STREAMS_OF_MEMBER_MAX + 1 };
  await withSite(async (site, [first = 0]) => {
    await site.addMember('mina');
    const [olga, mina] = [await cookieOf(site, 'olga'), await cookieOf(site, 'mina')];
    const streams = [];
    for (let count = 0; count < STREAMS_OF_MEMBER_MAX; count++) {
      streams.push(await open(site, olga, String(first)));
    }
    const refused = await open(site, olga, String(first));
    assert.equal(refused.answer.status, 503);
    assert.equal(refused.answer.headers.get('retry-after'), '60');
    assert.equal((await open(site, mina, String(first))).answer.status, 200);
    assert.equal((await open(site, mina, String(first))).answer.status, 503, 'of all');
    await streams[0]?.reader.close();
    assert.equal((await open(site, olga, String(first))).answer.status, 200);
    for (let seeders = 1; seeders <= 100; seeders++) {
      site.counts.set(first, { seeders, leechers: 0, completed: 0 });
      site.clock.advance(1000);
    }
    const [slow] = streams.slice(1);
    const held = (await slow?.reader.text()) ?? '';
    assert.ok(held.split('data:').length <= 6, held);
    site.clock.advance(2000);
    assert.equal(rowsOf((await slow?.reader.text()) ?? '')[first]?.['s'], '100');
  }, config);
});

test('pages that show counts load the script and name what it changes; without streams they do not', async () => {
  await withSite(async (site, [first = 0]) => {
    const olga = await site.signedIn('olga');
    const list = await olga.get('/torrents');
    assert.match(list.text, /<script src="\/assets\/[0-9a-f]{16}\/live\.js" defer><\/script>/);
    for (const kind of 's l c h'.split(' ')) {
      assert.ok(list.text.includes(`data-live="${kind}${first}"`), kind);
    }
    assert.match(list.headers.get('content-security-policy') ?? '', /script-src 'self'/);
    assert.equal((await olga.get('/live/counts')).status, 404);
    assert.equal((await olga.get('/live/counts?torrents=0,-1,x')).status, 404);
  });
  await withSite(
    async (site) => {
      const list = await (await site.signedIn('olga')).get('/torrents');
      assert.doesNotMatch(list.text, /<script/);
      assert.doesNotMatch(list.headers.get('content-security-policy') ?? '', /script-src/);
    },
    { liveStreamsMax: 0 },
  );
});
