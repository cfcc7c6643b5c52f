import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
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
