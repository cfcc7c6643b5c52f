// The console's pages of stores and nodes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LevelTable } from '#base/log-levels.ts';
import { STAFF_SCOPES, TestApi } from '#site/api/test-api.ts';
import { TestSite } from '#site/test-site.ts';
import type { Machine, StoresNow } from './machine.ts';

const STORES: StoresNow = {
  stack: 'replica(packed, s3)',
  stores: [
    {
      ...{ name: 'packed', kind: 'packs', isCopy: true, freeBytes: 2 ** 40 },
      counts: { blobs: 1234, bytes: 2 ** 30, storedBytes: 2 ** 31 },
      ...{ damagedPlaces: 2, wrongBlobs: 0 },
    },
    {
      ...{ name: 's3', kind: 'S3', isCopy: true, freeBytes: undefined, counts: undefined },
      ...{ damagedPlaces: 0, wrongBlobs: 0 },
    },
  ],
  findings: [{ what: '3 blobs that are needed are <not> there.', advice: 'Mount the disk.' }],
  countedMs: 1000,
};

function machineOf(stores: () => Promise<StoresNow>): Machine {
  return {
    stores,
    nodes: async () => [
      {
        ...{ name: 'meridian', isThis: true, version: '1.2.3', runtime: 'Node 24.12.0' },
        ...{ startedMs: 0, roles: ['site', 'tracker'], doors: ['udp://127.0.0.1:6969'] },
        ...{ sockets: 'sockets: batched', memoryBytes: 2 ** 28 },
        lag: { p99Ms: 1.25, maxMs: 40.4, sinceMs: 0 },
      },
    ],
  };
}

test('S16: the console shows the stack store by store, with what is missing and damaged', async () => {
  const site = await TestSite.open({ machine: machineOf(async () => STORES) });
  await site.addMember('olga', 'admin');
  await site.addMember('mina');
  const olga = await site.signedIn('olga');
  const page = (await olga.get('/console/stores')).text;
  assert.match(page, /1 thing to look after/);
  assert.match(page, /3 blobs that are needed are &lt;not&gt; there\.<\/strong>Mount the disk/);
  assert.match(page, /packs, a copy[\s\S]*1,234[\s\S]*1\.00 TiB[\s\S]*2 damaged places/);
  assert.match(page, /S3, a copy[\s\S]*not counted[\s\S]*not known[\s\S]*No answer/);
  assert.match(page, /Last scrub<\/dt><dd>never/);
  const api = await TestApi.of(site, 'olga', STAFF_SCOPES);
  const { json } = await api.do('listStores');
  assert.deepEqual([json.items[0].counts.blobs, json.items[1].counts], [1234, null]);
  assert.equal((await (await site.signedIn('mina')).get('/console/stores')).status, 403);
  await site.close();
});

test('S16: a store that is away is told in words, and nothing is made up where nothing is known', async () => {
  const away = async (): Promise<StoresNow> => {
    throw new Error('the bucket does not answer');
  };
  for (const [machine, words] of [
    [machineOf(away), /cannot be used: the bucket does not answer/],
    [undefined, /does not know its stores/],
  ] as const) {
    const site = await TestSite.open({ ...(machine && { machine }) });
    await site.addMember('olga', 'admin');
    const olga = await site.signedIn('olga');
    const page = await olga.get('/console/stores');
    assert.equal(page.status, 200);
    assert.match(page.text, words);
    await site.close();
  }
});

test('S16: the console shows this node: version, doors, memory and how late it is', async () => {
  const site = await TestSite.open({ machine: machineOf(async () => STORES) });
  await site.addMember('olga', 'admin');
  const olga = await site.signedIn('olga');
  const page = (await olga.get('/console/nodes')).text;
  assert.match(page, /1 node serving[\s\S]*meridian[\s\S]*Swarmkeep 1\.2\.3, Node 24\.12\.0/);
  assert.match(page, /udp:\/\/127\.0\.0\.1:6969[\s\S]*256 MiB[\s\S]*1\.3 ms[\s\S]*40 ms/);
  const api = await TestApi.of(site, 'olga', STAFF_SCOPES);
  assert.equal((await api.do('listNodes')).json.items[0].name, 'meridian');
  await site.close();
});

test('R9: an admin has a module log more, sees it, and goes back, by the console and by the API', async () => {
  const configured: LevelTable = { base: 'info', modules: {} };
  const logging = {
    levels: configured,
    modules: async () => ['site', 'tracker', 'tracker/net'],
    setLevels(table: LevelTable) {
      this.levels = table;
    },
    resetLevels() {
      this.levels = configured;
    },
  };
  const machine = { ...machineOf(async () => STORES), logging };
  const site = await TestSite.open({ machine });
  await site.addMember('olga', 'admin');
  const olga = await site.signedIn('olga');
  const send = async (fields: Record<string, string>): Promise<string> => {
    await olga.get('/console/logging');
    assert.equal((await olga.post('/console/logging', fields)).status, 303);
    return (await olga.get('/console/logging')).text;
  };
  assert.match(await send({ module: 'tracker', level: 'debug' }), /tracker logs from debug on/);
  assert.deepEqual(logging.levels, { base: 'info', modules: { tracker: 'debug' } });
  assert.match(await send({ level: 'warn' }), /<t[dh][^>]*>tracker\/net<\/t[dh]><td[^>]*>debug/);
  assert.equal(logging.levels.base, 'warn');
  assert.match(await send({ module: 'nothing', level: 'debug' }), /No module is called so/);
  assert.match(await send({ module: 'site', level: 'loud' }), /There are debug, info, warn, error/);
  assert.match(await send({ level: 'reset' }), /as the settings say/);
  assert.equal(logging.levels, configured);
  const told = site.lines.filter(({ message }) => /levels of the log/.test(message));
  assert.deepEqual(told.length, 3);
  const api = await TestApi.of(site, 'olga', STAFF_SCOPES);
  await api.do('setLogLevel', { json: { module: 'site', level: 'error' } });
  const { json } = await api.do('getLogging');
  assert.deepEqual(json.modules[0], { module: 'site', level: 'error', isOwn: true });
  await api.refused('setLogLevel', 'module-unknown', { json: { module: 'x', level: 'error' } });
  await api.do('resetLogLevels');
  assert.equal(logging.levels, configured);
  await site.close();
});
