// What the archive keeps, taken out by the programs that people have: tar from a page, rclone and litmus
// over WebDAV, against the real server.
//
// litmus writes before it reads and gives up where it cannot. So a small proxy says yes to what it writes,
// keeping nothing, and passes what it reads on to a torrent that has those files: what it then finds is
// the server's own.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { MountedArchive, whyNotMounted } from './mounted-archive.ts';
import { pause, TestServer, waitFor } from './server.ts';
import { SiteVisitor } from './site-visitor.ts';

const MIB = 1024 * 1024;
/** More than the buffers of two sockets hold. */
const LARGE_BYTES = 40 * MIB;
const PROGRAM_MS_MAX = 180_000;
const options = { timeout: 400_000 };
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-downloads-'));
const LITMUS_FILE = 'This is\na test file.\nfor litmus\ntesting.\n';

let server: TestServer;
let visitor: SiteVisitor;
let treeHash = '';
let litmusHash = '';
let largeHash = '';
let key = '';

const missing = (program: string): string | false =>
  spawnSync('which', [program]).status === 0 ? false : `${program} is not installed`;

before(async () => {
  server = await TestServer.prepare();
  await server.start();
  await server.json(['member', 'add', 'mina', '--password-stdin'], 'tortoise lamp river');
  visitor = await SiteVisitor.signIn(server.siteUrl, 'mina', 'tortoise lamp river');
  treeHash = await put('survey', {
    'notes & plans/ä field, 1.bin': bytesOf(5 * MIB + 17),
    [`${'a long name of a folder '.repeat(8).trim()}/${'and of a file '.repeat(12).trim()}.txt`]:
      bytesOf(300),
    'empty/nothing.txt': new Uint8Array(0),
    'empty/page 10.txt': bytesOf(10),
    'empty/page 9.txt': bytesOf(9),
    'readme.txt': bytesOf(511),
    block: bytesOf(512),
  });
  litmusHash = await put('checked', {
    'litmus/res': Buffer.from(LITMUS_FILE),
    'litmus/res-€': Buffer.from(LITMUS_FILE),
    'litmus/prop': Buffer.from(LITMUS_FILE),
  });
  largeHash = await put('large', { 'large.bin': Buffer.alloc(LARGE_BYTES, 7) });
  const page = await visitor.get('/me/webdav');
  key = /class="secret">([0-9a-f]{32})</.exec(await page.text())?.[1] ?? '';
});

after(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

function bytesOf(size: number): Uint8Array {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 32) {
    createHash('sha256').update(`${size} ${at}`).digest().copy(bytes, at);
  }
  return bytes;
}

async function put(name: string, files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const path = join(folder, 'source', name);
  for (const [file, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), bytes);
  }
  const [added] = await server.json<{ infoHash: string }>(['put', path]);
  return added?.infoHash ?? '';
}

/** Each file's path with its hash. */
function treeOf(path: string): readonly string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
      return `${relative(path, file)} ${hash}`;
    })
    .sort();
}

test('a tar of a torrent, unpacked by tar, is the tree it was made of', options, async () => {
  const original = join(folder, 'source', 'survey');
  const page = await (await visitor.get(`/torrents/${treeHash}`)).text();
  const path = /href="(\/torrents\/[0-9a-f]+\/content\/all)"/.exec(page)?.[1] ?? '';
  const answer = await visitor.get(path);
  assert.match(answer.headers.get('content-disposition') ?? '', /filename="survey.tar"/);
  writeFileSync(join(folder, 'all.tar'), Buffer.from(await answer.arrayBuffer()));
  const into = join(folder, 'unpacked');
  mkdirSync(into);
  await run('tar', ['-xf', join(folder, 'all.tar'), '-C', into]);
  assert.deepEqual(treeOf(join(into, 'survey')), treeOf(original));
  const listed = await (await visitor.get(`/torrents/${treeHash}/files`)).text();
  const position = /content\/(\d+)">block</.exec(listed)?.[1];
  const block = await visitor.get(`/torrents/${treeHash}/content/${position}`, {
    range: 'bytes=100-199',
  });
  assert.equal(block.status, 206);
  const wanted = readFileSync(join(original, 'block')).subarray(100, 200);
  assert.deepEqual(Buffer.from(await block.arrayBuffer()), wanted);
  const stranger = await fetch(`${server.siteUrl}${path}`, { redirect: 'manual' });
  assert.equal(stranger.status, 303, 'a visitor is sent to sign in');
});

test('rclone copies a torrent over WebDAV as it was, and can write nothing', {
  ...options,
  skip: missing('rclone'),
}, async () => {
  const rclone = async (...words: string[]): Promise<string> => {
    const { stdout } = await run('rclone', words, { env, timeout: PROGRAM_MS_MAX });
    return stdout;
  };
  const env = {
    ...process.env,
    RCLONE_CONFIG: join(folder, 'rclone.conf'),
    RCLONE_CONFIG_ARCHIVE_TYPE: 'webdav',
    RCLONE_CONFIG_ARCHIVE_URL: `${server.siteUrl}/dav/`,
    RCLONE_CONFIG_ARCHIVE_VENDOR: 'other',
    RCLONE_CONFIG_ARCHIVE_USER: 'mina',
    RCLONE_CONFIG_ARCHIVE_PASS: '',
  };
  const obscured = await run('rclone', ['obscure', key], { env });
  env.RCLONE_CONFIG_ARCHIVE_PASS = obscured.stdout.trim();
  const torrent = `survey [${treeHash.slice(0, 8)}]`;
  assert.match(
    await rclone('lsf', 'archive:'),
    new RegExp(`survey \\[${treeHash.slice(0, 8)}\\]/`),
  );
  const into = join(folder, 'copied');
  await rclone('copy', `archive:${torrent}`, into, '--retries', '1');
  assert.deepEqual(treeOf(into), treeOf(join(folder, 'source', 'survey')));
  const file = join(into, 'readme.txt');
  const words = ['copyto', file, `archive:${torrent}/new.txt`, '--retries', '1'];
  await assert.rejects(rclone(...words), /405/);
});

test('a torrent on a disk that rclone mounts is the tree it was made of', options, async (t) => {
  const why = whyNotMounted();
  if (why !== false) return t.skip(why);
  const place = { url: `${server.siteUrl}/dav/`, name: 'mina', key };
  const mounted = await MountedArchive.open(place, folder);
  if ('why' in mounted) return t.skip(mounted.why);
  try {
    const survey = join(mounted.path, `survey [${treeHash.slice(0, 8)}]`);
    const original = join(folder, 'source', 'survey');
    const { stdout } = await run('sh', [
      '-c',
      'cd "$1" && find . -type f -exec sha256sum {} +',
      '-',
      survey,
    ]);
    const wanted = await run('sh', [
      '-c',
      'cd "$1" && find . -type f -exec sha256sum {} +',
      '-',
      original,
    ]);
    assert.deepEqual(stdout.split('\n').sort(), wanted.stdout.split('\n').sort());
    await assert.rejects(run('touch', [join(survey, 'new.txt')]), /Read-only/);
  } finally {
    await mounted.close();
  }
});

test('litmus finds nothing wrong with what is for reading', {
  ...options,
  skip: missing('litmus'),
}, async () => {
  const proxy = createServer((from, to) => answerLitmus(from, to));
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  const found: string[] = [];
  for (const suite of ['basic', 'props', 'http']) {
    const words = ['-k', `http://127.0.0.1:${port}/`, 'mina', key];
    const env = { ...process.env, TESTS: suite };
    const { stdout } = await run('litmus', words, { env, cwd: folder, timeout: PROGRAM_MS_MAX });
    // A verdict may stand on a line of its own, below the warnings about its test.
    let name = '';
    for (const line of stdout.split(/[\r\n]+/)) {
      name = /^ *\d+\. ([a-z0-9_]+)\.+/.exec(line)?.[1] ?? name;
      if (/\.+ pass\b/.test(line)) found.push(`${suite} ${name}`);
    }
  }
  proxy.close();
  for (const name of [
    'basic options',
    'basic put_get',
    'basic put_get_utf8_segment',
    'props propfind_invalid',
    'props propfind_invalid2',
    'props propfind_d0',
    'props propwformed',
    'http expect100',
  ]) {
    assert.ok(found.includes(name), `${name} passes; these do: ${found.join(', ')}`);
  }
});

function answerLitmus(from: IncomingMessage, to: ServerResponse): void {
  const base = `/dav/${encodeURIComponent(`checked [${litmusHash.slice(0, 8)}]`)}`;
  const { method = '', headers, url = '' } = from;
  const written: Readonly<Record<string, number>> = { PUT: 201, MKCOL: 201, DELETE: 204 };
  if (written[method] !== undefined) {
    from.resume().on('end', () => to.writeHead(written[method] ?? 500).end());
    return;
  }
  const target = { host: '127.0.0.1', port: server.sitePort, method, headers, path: base + url };
  const asked = request(target, (answer) => {
    const parts: Buffer[] = [];
    answer.on('data', (part: Buffer) => parts.push(part));
    answer.on('end', () => {
      const body = Buffer.concat(parts).toString('utf8').replaceAll(`${base}/`, '/');
      const { 'transfer-encoding': _, 'content-length': __, ...kept } = answer.headers;
      to.writeHead(answer.statusCode ?? 500, kept).end(body);
    });
  });
  asked.on('error', () => to.destroy());
  from.pipe(asked);
}

/** Asks for something large and reads it so slowly that a right which ends is noticed before its end. */
async function readSlowly(head: string, end: () => Promise<void>): Promise<number> {
  const socket = connect(server.sitePort, '127.0.0.1');
  let got = 0;
  let wanted = 1;
  let isClosed = false;
  socket.on('error', () => undefined);
  socket.once('close', () => {
    isClosed = true;
  });
  socket.on('data', (part) => {
    got += part.length;
    if (got >= wanted) socket.pause();
  });
  socket.write(`${head}\r\nHost: 127.0.0.1:${server.sitePort}\r\n\r\n`);
  await waitFor('the first bytes', 60_000, () => (got > 0 ? true : undefined));
  // Who stands still meanwhile holds the server's answer in the middle.
  await end();
  while (!isClosed && got < LARGE_BYTES) {
    wanted = got + MIB;
    socket.resume();
    await pause(300);
  }
  socket.destroy();
  return got;
}

/** Asks and goes before the answer begins, sooner or later. */
async function askAndGo(path: string, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const socket = connect(server.sitePort, '127.0.0.1');
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.sitePort}\r\n\r\n`);
    await pause(time % 8);
    socket.destroy();
  }
}

test(
  'who asks and goes holds no download, and a revoked share ends what it gave',
  options,
  async () => {
    const path = `/torrents/${largeHash}/share`;
    await visitor.get(path);
    const made = await (await visitor.post(path, { days: '1' })).text();
    const link = /class="secret">[^<]*(\/s\/[A-Za-z0-9_-]{43})</.exec(made)?.[1] ?? '';
    const stranger = await fetch(`${server.siteUrl}${link}`, {
      headers: { accept: 'application/json' },
    });
    const { entries } = (await stranger.json()) as { entries: { content: string }[] };
    const content = new URL(entries[0]?.content ?? '').pathname;
    await askAndGo(content, 60);
    await waitFor('room for a download', 60_000, async () => {
      const { status } = await fetch(`${server.siteUrl}${content}`, {
        headers: { range: 'bytes=0-3' },
      });
      return status === 206 ? true : undefined;
    });
    const got = await readSlowly(`GET ${content} HTTP/1.1`, async () => {
      const list = await (await visitor.get('/me/shares')).text();
      const revoke = /action="(\/me\/shares\/\d+\/revoke)"/.exec(list)?.[1] ?? '';
      assert.equal((await visitor.post(revoke, {})).status, 303);
    });
    assert.ok(got > 0 && got < LARGE_BYTES, `${got} bytes were given`);
    assert.equal((await fetch(`${server.siteUrl}${content}`)).status, 404);
  },
);

test(
  'a collection is shared, fetched with proof and ended on the command line',
  options,
  async () => {
    const loose = join(folder, 'source', 'loose.bin');
    writeFileSync(loose, bytesOf(MIB + 5));
    const things = [treeHash, `${litmusHash}/litmus`, loose];
    const words = ['--member', 'mina', '--depth', 'all', '--days', '2', '--password-stdin'];
    const made = await server.json<{ id: number; url: string }>(
      ['share', ...things, ...words],
      'herring gull\n',
    );
    const { id, url } = made[0]!;
    const to = join(folder, 'got');
    await assert.rejects(server.json(['get', url, '-o', to]), /password/);
    // What an earlier one left: the beginning of a file, and one that is none of it.
    mkdirSync(join(to, 'survey'), { recursive: true });
    writeFileSync(join(to, 'loose.bin.part'), bytesOf(MIB + 5).subarray(0, 700_000));
    writeFileSync(join(to, 'survey', 'readme.txt.part'), 'lies');
    const get = ['get', url, '-o', to, '--password-stdin'];
    await assert.rejects(server.json(get, 'herring gull'), /readme\.txt.*is not what/);
    const got = await server.json<{ new: boolean }>(get, 'herring gull');
    assert.ok(got.some((file) => !file.new) && got.some((file) => file.new));
    const survey = treeOf(join(folder, 'source', 'survey'));
    assert.deepEqual(treeOf(join(to, 'survey')), survey);
    const litmus = treeOf(join(folder, 'source', 'checked', 'litmus'));
    assert.deepEqual(treeOf(join(to, 'litmus')), litmus);
    assert.deepEqual(readFileSync(join(to, 'loose.bin')), readFileSync(loose));
    writeFileSync(join(to, 'loose.bin'), 'somebody changed it');
    await assert.rejects(server.json(get, 'herring gull'), /is another file/);

    const listed = await server.json<{ id: number; state: string }>(['share', 'list']);
    assert.deepEqual([listed[0]?.id, listed[0]?.state], [id, 'open']);
    assert.deepEqual(await server.json(['unshare', String(id)]), [{ id, revoked: true }]);
    await assert.rejects(server.json(['unshare', String(id)]), /revoked before/);
    await assert.rejects(server.json(get, 'herring gull'), /over/);
    await assert.rejects(server.json(['share', treeHash.replace(/./, 'x'), '--member', 'mina']));
  },
);

test('aria2 completes a torrent from a share alone, by the .torrent that it gives', {
  ...options,
  skip: missing('aria2c'),
}, async () => {
  const [made] = await server.json<{ url: string }>(['share', treeHash, '--member', 'mina']);
  const accept = 'application/x-bittorrent';
  const answer = await fetch(made?.url ?? '', { headers: { accept } });
  const torrent = join(folder, 'shared.torrent');
  writeFileSync(torrent, Buffer.from(await answer.arrayBuffer()));
  const to = join(folder, 'by-aria2');
  const words = ['--seed-time=0', '--enable-dht=false', '--no-conf', '--quiet', '-d', to];
  await run('aria2c', [...words, torrent], { timeout: PROGRAM_MS_MAX });
  assert.deepEqual(treeOf(join(to, 'survey')), treeOf(join(folder, 'source', 'survey')));
});

test('a new passkey ends what its key was giving', options, async () => {
  const authorization = `Basic ${Buffer.from(`mina:${key}`).toString('base64')}`;
  const path = `/dav/large%20%5B${largeHash.slice(0, 8)}%5D/large.bin`;
  const got = await readSlowly(
    `GET ${path} HTTP/1.1\r\nAuthorization: ${authorization}`,
    async () => {
      await server.json(['member', 'reset-passkey', 'mina']);
    },
  );
  assert.ok(got > 0 && got < LARGE_BYTES, 'not because it was complete');
  key =
    /class="secret">([0-9a-f]{32})</.exec(await (await visitor.get('/me/webdav')).text())?.[1] ??
    '';
});

test('a ban ends a download that runs, also one that stands still', options, async () => {
  const authorization = `Basic ${Buffer.from(`mina:${key}`).toString('base64')}`;
  const path = `/dav/large%20%5B${largeHash.slice(0, 8)}%5D/large.bin`;
  const head = `GET ${path} HTTP/1.1\r\nAuthorization: ${authorization}`;
  const got = await readSlowly(head, async () => {
    await server.json(['member', 'ban', 'mina', '--reason', 'shared a passkey']);
  });
  assert.ok(got > 0 && got < LARGE_BYTES, 'not because it was complete');
  const refused = await fetch(`${server.siteUrl}/dav/`, { headers: { authorization } });
  assert.equal(refused.status, 401);
});
