import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { coverHead } from '#site/covers/cover-head.ts';
import { imageSize } from '#site/previews/image-head.ts';
import { findFfmpeg } from './ffmpeg.ts';

const FFMPEG = 'ffmpeg';
const skip = spawnSync(FFMPEG, ['-version']).status === 0 ? false : 'ffmpeg is not installed';
const options = { skip, timeout: 120_000 };
const never = new AbortController().signal;

/** A file that ffmpeg itself makes. */
function made(name: string, ...words: readonly string[]): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-ffmpeg-'));
  try {
    const path = join(folder, name);
    const source = ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=size=1280x720:rate=5'];
    const ran = spawnSync(FFMPEG, [...source, ...words, path]);
    assert.equal(ran.status, 0, String(ran.stderr));
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function* partsOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

test('a picture of at most 320 pixels is made of images and of films', options, async () => {
  const ffmpeg = await findFfmpeg();
  assert.ok(ffmpeg !== undefined);
  for (const bytes of [
    made('a.png', '-frames:v', '1'),
    made('a.jpg', '-frames:v', '1'),
    made('a.mkv', '-t', '1'),
    made('a.mp4', '-t', '1', '-movflags', '+faststart', '-pix_fmt', 'yuv420p'),
  ]) {
    const picture = await ffmpeg.make(partsOf(bytes), never);
    assert.deepEqual(picture && imageSize(picture), {
      type: 'image/jpeg',
      width: 320,
      height: 180,
    });
  }
});

test(
  'S9: covers of every kind are made anew, without what was written into them',
  options,
  async () => {
    const ffmpeg = await findFfmpeg();
    const words = 'taken at 52.3702 4.8952';
    for (const name of ['a.jpg', 'a.png', 'a.webp']) {
      const bytes = made(name, '-frames:v', '1', '-metadata', `comment=${words}`);
      assert.deepEqual([coverHead(bytes)?.width, coverHead(bytes)?.height], [1280, 720], name);
      const cover = await ffmpeg?.make(partsOf(bytes), never, 640);
      assert.deepEqual(cover && coverHead(cover), { type: 'image/jpeg', width: 640, height: 360 });
      assert.ok(!Buffer.from(cover ?? []).includes(words));
    }
  },
);

test('what a film is, is told by the program beside it', options, async () => {
  const ffmpeg = await findFfmpeg();
  const film = made('a.mkv', '-t', '2');
  const facts = await ffmpeg?.facts?.(partsOf(film), never);
  assert.deepEqual([facts?.width, facts?.height, facts?.seconds], [1280, 720, 2]);
  assert.match(facts?.picture ?? '', /^\w+$/);
  assert.equal(await ffmpeg?.facts?.(partsOf(Buffer.from('no film')), never), undefined);
});

test('what is no picture, or tries to reach something else, gives none', options, async () => {
  const ffmpeg = await findFfmpeg();
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-ffmpeg-'));
  const secret = join(folder, 'secret.png');
  writeFileSync(secret, made('a.png', '-frames:v', '1'));
  const hostile = [
    `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://${secret}\n`,
    `ffconcat version 1.0\nfile '${secret}'\n`,
    `<svg xmlns="http://www.w3.org/2000/svg"><image href="file://${secret}"/></svg>`,
    'not a picture at all',
    '',
  ].map((text) => Buffer.from(text));
  const cut = made('a.jpg', '-frames:v', '1').subarray(0, 400);
  const garbled = Buffer.from(made('a.mkv', '-t', '1')).fill(0x55, 300);
  for (const bytes of [...hostile, cut, garbled]) {
    assert.equal(await ffmpeg?.make(partsOf(bytes), never), undefined);
  }
  rmSync(folder, { recursive: true, force: true });
});

test('a program that does not end, or answers without end, is ended', {
  timeout: 60_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-ffmpeg-'));
  const program = join(folder, 'ffmpeg');
  const is = (what: string): void =>
    writeFileSync(
      program,
      `#!/bin/sh\n[ "$1" = -version ] && echo "ffmpeg version 1" && exit 0\n${what}\n`,
      { mode: 0o755 },
    );
  is('exec yes');
  const endless = await findFfmpeg(program);
  assert.equal(await endless?.make(partsOf(new Uint8Array(300_000)), never), undefined);
  is('exec sleep 100');
  const stop = new AbortController();
  const making = endless?.make(partsOf(new Uint8Array(300_000)), stop.signal);
  setTimeout(() => stop.abort(new Error('stopped')), 300);
  await assert.rejects(making ?? Promise.resolve(), /stopped/);
  is('exit 1');
  assert.equal(await endless?.make(partsOf(new Uint8Array(9)), never), undefined);
  assert.equal(await findFfmpeg(join(folder, 'not-there')), undefined);
  rmSync(folder, { recursive: true, force: true });
});
