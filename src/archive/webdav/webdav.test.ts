import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDownloads } from '#archive/downloads/test-downloads.ts';
import { parseXml } from './dav-xml.ts';
import { ask, BASE, basic, davOf, FILES, hrefsOf } from './test-dav.ts';

test('the torrents are folders, and what is in them is told and given', () =>
  withDownloads(FILES, async (world) => {
    const dav = davOf(world);
    for (const root of ['/dav', '/dav/', '/dav//']) {
      const told = await ask(dav, 'PROPFIND', root, { depth: '1' });
      assert.equal(told.status, 207);
      assert.deepEqual(hrefsOf(told.body), ['/dav/', `${BASE}/`]);
    }
    const top = await ask(dav, 'PROPFIND', `${BASE}/`, { depth: '1' });
    const inside = `${BASE}/notes%20%26%20plans/`;
    assert.deepEqual(hrefsOf(top.body), [`${BASE}/`, inside, `${BASE}/readme.txt`]);
    assert.ok(parseXml(top.body) !== undefined, 'it is well-formed');
    const folder = await ask(dav, 'PROPFIND', inside, { depth: '1' });
    const file = `${inside}%C3%A4%20100%25.txt`;
    assert.deepEqual(hrefsOf(folder.body), [inside, file]);
    const got = await ask(dav, 'GET', file, {});
    assert.deepEqual([got.status, got.body], [200, 'hello']);
    assert.ok(folder.body.includes(got.headers['etag'] ?? '-'));
    assert.match(folder.body, /<D:getcontentlength>5</);
    const self = await ask(dav, 'PROPFIND', file, { depth: '0' });
    assert.deepEqual(hrefsOf(self.body), [file]);
    const part = await ask(dav, 'GET', file, { headers: { range: 'bytes=1-2' } });
    assert.deepEqual([part.status, part.body], [206, 'el']);
    const head = await ask(dav, 'HEAD', file);
    assert.deepEqual([head.status, head.headers['content-length']], [200, '5']);
    assert.equal(world.right.sent, 7);
  }));

test('nothing can be changed, locked or told without end', () =>
  withDownloads(FILES, async (world) => {
    const dav = davOf(world);
    const options = await ask(dav, 'OPTIONS', '/dav/', { headers: { authorization: '' } });
    assert.deepEqual([options.status, options.headers['dav']], [200, '1']);
    assert.equal(options.headers['allow'], 'OPTIONS, GET, HEAD, PROPFIND');
    for (const method of [
      'PUT',
      'DELETE',
      'MKCOL',
      'COPY',
      'MOVE',
      'LOCK',
      'UNLOCK',
      'PROPPATCH',
      'POST',
      'PATCH',
      'SEARCH',
    ]) {
      const refused = await ask(dav, method, `${BASE}/readme.txt`, { body: 'x' });
      assert.deepEqual([refused.status, refused.headers['connection']], [405, 'close'], method);
      assert.ok(refused.headers['allow']?.includes('PROPFIND'));
    }
    for (const depth of ['infinity', undefined]) {
      const refused = await ask(dav, 'PROPFIND', '/dav/', depth === undefined ? {} : { depth });
      assert.equal(refused.status, 403);
      assert.match(refused.body, /propfind-finite-depth/);
    }
    assert.equal((await ask(dav, 'PROPFIND', '/dav/', { depth: '2' })).status, 400);
    assert.equal((await ask(dav, 'PROPFIND', '/dav/', { depth: '0', body: '<a' })).status, 400);
    assert.equal((await ask(dav, 'GET', `${BASE}/`)).status, 405);
    assert.equal((await ask(dav, 'HEAD', `${BASE}/`)).status, 200);
  }));

test('strangers and paths that lead elsewhere are refused', () =>
  withDownloads(FILES, async (world) => {
    const dav = davOf(world);
    for (const authorization of [
      '',
      'Basic',
      'Basic ???',
      basic('mina'),
      basic('mina:'),
      basic('mina:key:2'),
      basic('nina:key:1'),
      'Bearer x',
    ]) {
      const refused = await ask(dav, 'PROPFIND', '/dav/', {
        depth: '1',
        headers: { authorization },
      });
      assert.equal(refused.status, 401, authorization);
      assert.match(refused.headers['www-authenticate'] ?? '', /^Basic realm=/);
    }
    for (const path of [
      '/nothing',
      '/../readme.txt',
      '/..%2freadme.txt',
      '/notes%20%26%20plans%2f%C3%A4%20100%25.txt',
      '/readme.txt/x',
      '/%00',
      '/%zz',
      `/${'a'.repeat(9000)}`,
      '/readme.txt%00',
    ]) {
      assert.equal((await ask(dav, 'GET', BASE + path)).status, 404, path.slice(0, 50));
      assert.equal((await ask(dav, 'PROPFIND', BASE + path, { depth: '0' })).status, 404);
    }
    assert.equal((await ask(dav, 'GET', '/dav/Survey%20%5Bacacacac%5D/readme.txt')).status, 404);
  }));

test('a folder of many entries is told page by page while it is read', () => {
  const many: Record<string, Uint8Array> = {};
  for (let at = 0; at < 1300; at++) many[`all/${at}`] = new Uint8Array(0);
  return withDownloads(many, async (world) => {
    const dav = davOf(world);
    const answer = await dav.answer({
      ...{ method: 'PROPFIND', target: `${BASE}/all`, body: async () => '' },
      header: (name) => ({ authorization: basic('mina:key:1'), depth: '1' })[name],
    });
    let parts = 0;
    let told = 0;
    for await (const part of answer.body ?? []) {
      parts += 1;
      told += hrefsOf(Buffer.from(part).toString('utf8')).length;
    }
    assert.deepEqual([parts, told], [5, 1301]);
  });
});
