import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestAnnounces } from '#accounting/test-announces.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { protectMember } from '#site/privacy/protect-member.ts';
import { type TestBrowser, TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';

const EVENTS = '/console/transfers/events';

async function announce(site: TestSite, memberId: number, uploaded: number): Promise<void> {
  const announces = new TestAnnounces();
  for (const [at, moved] of [0, uploaded].entries()) {
    const value = announces.announce({
      memberId,
      at: at * 60,
      uploaded: moved,
      uploadCreditPercent: 200,
      left: 0,
    });
    await site.log.append(TRANSFERS_TOPIC, [{ value }]);
  }
}

/** The stream as a reader sees it: `next` is what came with one answer. */
class Reader {
  readonly status: number;
  readonly type: string;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  private constructor(response: Response) {
    this.status = response.status;
    this.type = response.headers.get('content-type') ?? '';
    this.#reader = response.body?.getReader();
  }

  static async open(site: TestSite, browser: TestBrowser, query = '', lastEventId = '') {
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { cookie, ...(lastEventId === '' ? {} : { 'last-event-id': lastEventId }) };
    const request = new Request(`http://127.0.0.1:8080${EVENTS}${query}`, { headers });
    return new Reader(await site.site.fetch(request, { peerAddress: '10.0.0.1' }));
  }

  async next(): Promise<{ readonly text: string; readonly events: Record<string, unknown>[] }> {
    const { value, done } = (await this.#reader?.read()) ?? { done: true, value: undefined };
    const text = done ? '(end)' : new TextDecoder().decode(value);
    const events = [...text.matchAll(/^data: (.*)$/gm)].map(
      ([, data]) => JSON.parse(data ?? '') as Record<string, unknown>,
    );
    return { text, events };
  }

  async close(): Promise<void> {
    await this.#reader?.cancel();
  }
}

forEachDatabase((database, open) => {
  test(`${database}: A10: deltas are streamed to admins alone, without addresses`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    const mina = await site.addMember('mina');
    await announce(site, mina.id, 700);
    const stream = await Reader.open(site, await site.signedIn('olga'), '?from=beginning');
    assert.match(stream.type, /text\/event-stream/);
    const { text, events } = await stream.next();
    assert.equal(events.length, 2);
    assert.equal(events[1]?.['memberId'], mina.id);
    assert.equal(events[1]?.['uploadedBytes'], 700);
    assert.equal(events[1]?.['creditedUploadedBytes'], 1400);
    assert.ok(!text.includes('10.77.0.1') && !text.includes('6881'), text);
    await stream.close();
    assert.equal((await Reader.open(site, await site.signedIn('mina'))).status, 403);
    assert.equal((await Reader.open(site, site.browser())).status, 303);
    await site.close();
  });

  test(`${database}: A10: addresses are told where the configuration says so, a protected member’s never`, async () => {
    const site = await TestSite.open({ open, config: { transferAddresses: true } });
    await site.addMember('olga', 'admin');
    const mina = await site.addMember('mina');
    const noor = await site.addMember('noor');
    await announce(site, mina.id, 700);
    await announce(site, noor.id, 700);
    const olga = await site.signedIn('olga');
    const told = async (): Promise<unknown[]> => {
      const stream = await Reader.open(site, olga, '?from=beginning');
      const { events } = await stream.next();
      await stream.close();
      return events.map((event) => event['address'] ?? 'none');
    };
    assert.deepEqual(await told(), Array(4).fill('10.77.0.1'));
    // The records with it still stand in the log.
    await protectMember({ ...site.world, passwords: site.passwords }, 'noor', true);
    assert.deepEqual(await told(), ['10.77.0.1', '10.77.0.1', 'none', 'none']);
    assert.match((await olga.get('/console/transfers')).text, /10\.77\.0\.1/);
    await site.close();
  });
});

test('A10: a reader goes on where it was, follows, and ends when its rights end', async () => {
  const site = await TestSite.open({ config: { streamsMax: 1 } });
  await site.addMember('olga', 'admin');
  const mina = await site.addMember('mina');
  await announce(site, mina.id, 700);
  const olga = await site.signedIn('olga');
  const stream = await Reader.open(site, olga, '', '1');
  assert.match((await stream.next()).text, /^id: 2\n/);
  assert.match((await stream.next()).text, /^: nothing new/);
  assert.equal((await Reader.open(site, olga)).status, 503, 'one stream is open');
  await announce(site, mina.id, 900);
  assert.equal((await stream.next()).events.at(-1)?.['uploadedBytes'], 900);
  await olga.get('/me/sessions');
  await olga.post('/me/sessions/revoke-all');
  await announce(site, mina.id, 900);
  assert.equal((await stream.next()).text, '(end)', 'signed out');
  const again = await site.signedIn('olga');
  const next = await Reader.open(site, again, '?from=0');
  assert.equal(next.status, 200, 'the place is free again');
  await next.close();
  assert.equal((await Reader.open(site, again, '?from=99')).status, 416);
  assert.equal((await Reader.open(site, again, '?from=soon')).status, 400);
  await site.close();
});

test('A10: the console shows what was announced last, and what of it counts', async () => {
  const site = await TestSite.open();
  await site.addMember('olga', 'admin');
  const mina = await site.addMember('mina');
  const olga = await site.signedIn('olga');
  assert.match((await olga.get('/console/transfers')).text, /No client has announced yet/);
  await announce(site, mina.id, 2 ** 20);
  const page = await olga.get('/console/transfers');
  assert.match(page.text, /members\/mina/);
  assert.match(page.text, /counts <[^>]*>2\.00 MiB/);
  assert.ok(!page.text.includes('10.77.0.1'));
  await site.close();
});
