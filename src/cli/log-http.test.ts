import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { LogError } from '#log/errors.ts';
import type { Log } from '#log/log.ts';
import { siteWithLog } from './log-http.ts';

/** Whoever gets so far as to read is answered 404. */
const EMPTY = {
  read: async (topic: string) => {
    throw new LogError('LOG_TOPIC_UNKNOWN', `There is no topic "${topic}"`);
  },
} as unknown as Log;
const TOKEN = 'a-token-of-the-log';
const NONE = { has: async () => false };

test('topics with passkeys or addresses are read with the token alone, by no session of an administrator', async () => {
  const console = async (request: Request): Promise<Response> =>
    new Response('', { status: request.headers.get('cookie') === 'admin' ? 200 : 404 });
  const isAdmin = async () => true;
  const site = siteWithLog({ fetch: console }, EMPTY, { token: TOKEN, isAdmin, banned: NONE });
  const status = async (topic: string, headers: Record<string, string>): Promise<number> =>
    (await site.fetch(new Request(`http://site/api/log/${topic}`, { headers }))).status;
  for (const topic of ['control', 'transfers']) {
    assert.equal(await status(topic, { cookie: 'admin' }), 401, topic);
    assert.equal(await status(topic, { authorization: `Bearer ${TOKEN}` }), 404, topic);
  }
  assert.equal(await status('staff', { cookie: 'admin' }), 404);
  for (const headers of [
    {},
    { cookie: 'member' },
    { authorization: 'Bearer a-token-of-the-lox' },
  ]) {
    assert.equal(await status('staff', headers as Record<string, string>), 401);
  }
  // A name in another writing is another topic, not a way around.
  assert.equal(await status('%63ontrol', { cookie: 'admin' }), 404);
});

test('a stream of a topic ends with the right of who reads it, before the next record is told', async () => {
  let nextOffset = 0;
  let waiting: (() => void) | undefined;
  const log = {
    read: async () => {
      if (nextOffset > 0) await new Promise<void>((resolve) => (waiting = resolve));
      const record = { offset: nextOffset, timeMs: 0, value: utf8(`record ${nextOffset}`) };
      nextOffset += 1;
      return { records: [record], gaps: [], nextOffset };
    },
  } as unknown as Log;
  let isAdmin = true;
  const page = { fetch: async () => new Response('') };
  const bannedFrom = new Set<string>();
  const banned = { has: async ({ peer }: { peer: string }) => bannedFrom.has(peer) };
  const rights = { token: TOKEN, isAdmin: async () => isAdmin, banned };
  const site = siteWithLog(page, log, rights);
  const told = async (
    headers: Record<string, string>,
    meanwhile: () => void,
  ): Promise<readonly string[]> => {
    nextOffset = 0;
    isAdmin = true;
    bannedFrom.clear();
    const answer = await site.fetch(
      new Request('http://site/api/log/staff?follow=1&limit=3', { headers }),
      { peerAddress: '203.0.113.7' },
    );
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    const reader = (answer.body ?? assert.fail('there is a body')).getReader();
    const texts: string[] = [];
    for (;;) {
      const reading = reader.read();
      if (texts.length > 0) {
        // While the stream waits for the next record.
        meanwhile();
        while (waiting === undefined) await new Promise((resolve) => setImmediate(resolve));
        waiting();
        waiting = undefined;
      }
      const { done, value } = await reading;
      if (done || texts.length === 2) return texts;
      texts.push(/record \d/.exec(new TextDecoder().decode(value))?.[0] ?? '');
    }
  };
  const resign = () => {
    isAdmin = false;
  };
  const byToken = { authorization: `Bearer ${TOKEN}` };
  assert.deepEqual(await told({ cookie: 'admin' }, resign), ['record 0']);
  assert.deepEqual(await told(byToken, resign), ['record 0', 'record 1']);
  const ban = (address: string) => () => bannedFrom.add(address);
  assert.deepEqual(await told(byToken, ban('203.0.113.8')), ['record 0', 'record 1']);
  assert.deepEqual(await told(byToken, ban('203.0.113.7')), ['record 0']);
});
