// Compares our reading and making of .torrent files with libtorrent's, in both directions. Left out
// with a printed reason where Python's libtorrent is not installed.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { toHex } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { type Metainfo, parseMetainfo } from './metainfo.ts';
import { makeMetainfo } from './metainfo-maker.ts';

const python = '/usr/bin/python3';
const probe = spawnSync(python, ['-c', 'import libtorrent']);
const skip = probe.status === 0 ? false : 'python3-libtorrent is not installed';

const MAKE = `
import sys, libtorrent as lt
folder, name, piece, out = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
for label, flags in (('v1', lt.create_torrent.v1_only), ('v2', lt.create_torrent.v2_only), ('hybrid', 0)):
    fs = lt.file_storage()
    lt.add_files(fs, folder + '/' + name)
    t = lt.create_torrent(fs, piece, flags)
    t.set_priv(True)
    t.set_comment('made by libtorrent')
    t.add_tracker('http://tracker.example/announce')
    lt.set_piece_hashes(t, folder)
    open(out + '/' + name + '.' + label, 'wb').write(lt.bencode(t.generate()))
`;

const SHOW = `
import sys, json, libtorrent as lt
ti = lt.torrent_info(sys.argv[1])
h = ti.info_hashes()
fs = ti.files()
print(json.dumps({
  'v1': str(h.v1) if h.has_v1() else None,
  'v2': str(h.v2) if h.has_v2() else None,
  'private': ti.priv(), 'pieceLength': ti.piece_length(), 'name': ti.name(),
  'files': [[fs.file_path(i), fs.file_size(i), bool(int(fs.file_flags(i)) & 1)] for i in range(fs.num_files())],
}))
`;

function runPython(script: string, values: readonly string[]): string {
  const done = spawnSync(python, ['-c', script, ...values], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  return done.stdout;
}

const PIECE = 32 * 1024;
const FOLDER_FILES: readonly (readonly [string, number])[] = [
  ['a/empty.txt', 0],
  ['a/b/one-piece.bin', PIECE],
  ['a/b/three.bin', PIECE * 3 + 17],
  ['a-first.bin', 5],
  ['zwölf.bin', PIECE * 2],
  ['same-as-zwölf.bin', PIECE * 2],
];

function makeContent(folder: string): void {
  for (const [path, size] of FOLDER_FILES) {
    const target = join(folder, 'album', path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytesOf(size));
  }
  writeFileSync(join(folder, 'single.bin'), bytesOf(PIECE * 5 + 1));
}

function bytesOf(size: number): Uint8Array {
  const random = new SeededRandom(size);
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 4096) {
    bytes.set(random.bytes(Math.min(4096, size - at)), at);
  }
  return bytes;
}

function parsed(bytes: Uint8Array): Metainfo {
  const result = parseMetainfo(bytes);
  assert.ok(result.ok, result.ok ? '' : result.reason);
  return result.metainfo;
}

interface Shown {
  readonly v1: string | null;
  readonly v2: string | null;
  readonly private: boolean;
  readonly pieceLength: number;
  readonly name: string;
  readonly files: readonly (readonly [string, number, boolean])[];
}

function compare(metainfo: Metainfo, file: string): void {
  const shown: Shown = JSON.parse(runPython(SHOW, [file]));
  assert.equal(metainfo.infoHashV1 === undefined ? null : toHex(metainfo.infoHashV1), shown.v1);
  assert.equal(metainfo.infoHashV2 === undefined ? null : toHex(metainfo.infoHashV2), shown.v2);
  assert.equal(metainfo.private, shown.private);
  assert.equal(metainfo.pieceLength, shown.pieceLength);
  assert.equal(metainfo.name, shown.name);
  const ours = metainfo.files
    .filter((entry) => !entry.pad)
    .map((entry) => [
      metainfo.singleFile ? entry.path.join('/') : [metainfo.name, ...entry.path].join('/'),
      entry.sizeBytes,
    ]);
  const theirs = shown.files.filter(([, , pad]) => !pad).map(([path, size]) => [path, size]);
  assert.deepEqual(ours, theirs);
}

test('torrents made by libtorrent are read as libtorrent reads them', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-metainfo-'));
  try {
    makeContent(folder);
    for (const name of ['album', 'single.bin']) {
      runPython(MAKE, [folder, name, String(PIECE), folder]);
      for (const version of ['v1', 'v2', 'hybrid'] as const) {
        const file = join(folder, `${name}.${version}`);
        const metainfo = parsed(new Uint8Array(readFileSync(file)));
        assert.equal(metainfo.version, version);
        assert.deepEqual(metainfo.announceTiers, [['http://tracker.example/announce']]);
        assert.equal(metainfo.comment, 'made by libtorrent');
        compare(metainfo, file);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('torrents that we make have the same hashes as those that libtorrent makes', {
  skip,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-metainfo-'));
  try {
    makeContent(folder);
    for (const name of ['album', 'single.bin']) {
      runPython(MAKE, [folder, name, String(PIECE), folder]);
      for (const version of ['v1', 'v2', 'hybrid'] as const) {
        const theirs = parsed(new Uint8Array(readFileSync(join(folder, `${name}.${version}`))));
        const bytes = await makeLike(folder, name, version);
        const file = join(folder, `ours-${name}.${version}`);
        writeFileSync(file, bytes);
        const ours = parsed(bytes);
        compare(ours, file);
        assert.deepEqual(ours.pieceLayers, theirs.pieceLayers);
        const roots = (m: Metainfo): string[] =>
          m.files.filter((f) => f.rootHash !== undefined).map((f) => toHex(f.rootHash!));
        assert.deepEqual(roots(ours).toSorted(), roots(theirs).toSorted());
        if (version !== 'v1') assert.deepEqual(ours.infoHashV2, theirs.infoHashV2);
        if (version === 'hybrid') assert.deepEqual(ours.pieces, theirs.pieces);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

async function makeLike(
  folder: string,
  name: string,
  version: 'v1' | 'v2' | 'hybrid',
): Promise<Uint8Array> {
  const singleFile = name === 'single.bin';
  const list = singleFile ? [[name, PIECE * 5 + 1] as const] : FOLDER_FILES;
  const made = await makeMetainfo({
    version,
    name,
    singleFile,
    pieceLength: PIECE,
    private: true,
    files: list.map(([path, sizeBytes]) => ({
      path: path.split('/'),
      sizeBytes,
      async *read() {
        const bytes = readFileSync(singleFile ? join(folder, path) : join(folder, name, path));
        for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
      },
    })),
  });
  assert.ok(made.ok, made.ok ? '' : made.reason);
  return made.bytes;
}
