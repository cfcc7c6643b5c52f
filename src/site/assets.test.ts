import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Assets, assetResponse } from './assets.ts';

const assets = new Assets();
const style = assets.find('style.css')!;

function ask(acceptEncoding: string | null, ifNoneMatch: string | null = null): Response {
  return assetResponse(style, { hash: style.hash, acceptEncoding, ifNoneMatch });
}

test('who takes gzip is given a file packed, the others as it is', async () => {
  for (const [accept, isPacked] of [
    ['gzip, deflate, br', true],
    ['br;q=1.0, gzip;q=0.5', true],
    ['br, GZIP', true],
    ['gzip;q=0', false],
    ['gzip; q=0.000', false],
    ['identity', false],
    ['gzipped', false],
    ['', false],
    [null, false],
  ] as const) {
    const answer = ask(accept);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    assert.equal(answer.headers.get('content-encoding'), isPacked ? 'gzip' : null, String(accept));
    assert.equal(answer.headers.get('vary'), 'accept-encoding');
    assert.deepEqual(isPacked ? new Uint8Array(gunzipSync(bytes)) : bytes, style.bytes);
    if (isPacked) assert.ok(bytes.length < style.bytes.length / 3);
  }
});

test('the tag of a packed file is not that of the file as it is', async () => {
  const [plain, packed] = [ask(null), ask('gzip')].map((one) => one.headers.get('etag') ?? '');
  assert.notEqual(plain, packed);
  assert.equal(ask('gzip', `"x", W/${packed}`).status, 304);
  assert.equal(ask(null, plain ?? '').status, 304);
  assert.equal(ask('gzip', plain ?? '').status, 200);
  assert.equal(ask(null, packed ?? '').status, 200);
});
