// The golden files hold the content of `CONTENT` below; libtorrent reads the same hashes from them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { toHex } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import { type BencodeNode, decodeBencode } from './bencode.ts';
import { type BencodeInput, encodeBencode, RawBencode } from './bencode-encoder.ts';
import { type Metainfo, parseMetainfo } from './metainfo.ts';
import { choosePieceLength, makeMetainfo } from './metainfo-maker.ts';
import { rewriteTorrent } from './metainfo-rewrite.ts';

const PIECE = 16_384;
const CONTENT: readonly (readonly [string, number])[] = [
  ['notes/empty.txt', 0],
  ['notes/one.bin', PIECE],
  ['notes/three.bin', 40_000],
  ['readme.txt', 11],
];

function golden(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`golden/${name}.torrent`, import.meta.url)));
}

function parsed(bytes: Uint8Array): Metainfo {
  const result = parseMetainfo(bytes);
  assert.ok(result.ok, result.ok ? '' : result.reason);
  return result.metainfo;
}

function reasonOf(bytes: Uint8Array): string {
  const result = parseMetainfo(bytes);
  return result.ok ? 'accepted' : result.reason;
}

type Dict = Map<string, BencodeInput>;

/** A golden file as values that can be edited. */
function opened(name: string): { root: Dict; info: Dict } {
  const result = decodeBencode(golden(name));
  assert.ok(result.ok);
  const root = editable(result.node) as Dict;
  return { root, info: root.get('info') as Dict };
}

function editable(node: BencodeNode): BencodeInput {
  if (node.kind === 'list') return node.items.map(editable);
  if (node.kind === 'dict') return new Map([...node.entries].map(([k, v]) => [k, editable(v)]));
  return node.value;
}

function reasonAfter(name: string, edit: (info: Dict, root: Dict) => void): string {
  const { root, info } = opened(name);
  edit(info, root);
  return reasonOf(encodeBencode(root));
}

/** A v1 torrent of files of one byte with these paths. */
function withPaths(...paths: readonly (readonly (string | Uint8Array)[])[]): string {
  return reasonAfter('folder-v1', (info) => {
    info.set(
      'files',
      paths.map((path) => ({ length: 1, path: [...path] })),
    );
    info.set('pieces', new Uint8Array(20));
  });
}

test('golden torrents of each version are read', () => {
  const hashes: Readonly<Record<string, readonly [string | undefined, string | undefined]>> = {
    'folder-v1': ['f5e65da880ea318ce16d3bd85471c8ae69d77f3a', undefined],
    'file-v1': ['d4c0f92459a93bc9860deb1bea328ca4618b01d1', undefined],
    'folder-v2': [undefined, '5508c9e8ce72688d0130983a1739fa11bc26362095c0af242a58118161a22728'],
    'file-v2': [undefined, '9bb46dc7a2c49337965a782b5d065b424d42c447850addf3fac1f1226f9e81ee'],
    'folder-hybrid': [
      '9f9e96eb178a0191afac908406a2dd311e0ffbf2',
      '6f1638261fe9cc343b98240d4525105e25222096909eb2bf1b02d0ddefc8eb4d',
    ],
    'file-hybrid': [
      '2bdbb88a37cdf3a6a5db27d18978bef6acae7007',
      'f7bb116a58164b5c45e8ae229493f2557e83e52f92ba4d4f9de5d1149ae0ff1c',
    ],
  };
  for (const [name, [v1, v2]] of Object.entries(hashes)) {
    const metainfo = parsed(golden(name));
    const hex = (hash: Uint8Array | undefined): string | undefined => hash && toHex(hash);
    assert.deepEqual([hex(metainfo.infoHashV1), hex(metainfo.infoHashV2)], [v1, v2], name);
    assert.equal(hex(metainfo.infoHashV2Truncated), v2?.slice(0, 40));
    const isFile = name.startsWith('file');
    assert.deepEqual(
      [metainfo.name, metainfo.singleFile, metainfo.sizeBytes, metainfo.pieceLength],
      isFile ? ['three.bin', true, 40_000, PIECE] : ['golden', false, 56_395, PIECE],
    );
    assert.deepEqual(
      metainfo.files
        .filter((file) => !file.pad)
        .map((file) => [file.path.join('/'), file.sizeBytes]),
      isFile ? [['three.bin', 40_000]] : CONTENT,
    );
    assert.deepEqual(
      [metainfo.comment, metainfo.createdBy, metainfo.creationDate, metainfo.private],
      ['golden', 'Swarmkeep', 1_700_000_000, false],
    );
    assert.deepEqual(metainfo.announceTiers, [['http://tracker.example/announce']]);
    const layers = [...(metainfo.pieceLayers ?? [])].map(([, layer]) => layer.length);
    assert.deepEqual(layers, v2 === undefined ? [] : [96]);
  }
});

test('offsets and pad files of a hybrid torrent are given', () => {
  const { files } = parsed(golden('folder-hybrid'));
  assert.deepEqual(
    files.map((file) => [file.pad ? 'pad' : file.path.at(-1), file.offset, file.sizeBytes]),
    [
      ['empty.txt', 0, 0],
      ['one.bin', 0, PIECE],
      ['three.bin', PIECE, 40_000],
      ['pad', PIECE + 40_000, 3 * PIECE - 40_000],
      ['readme.txt', 4 * PIECE, 11],
    ],
  );
});

test('what is no torrent is refused in words', () => {
  assert.match(reasonOf(new Uint8Array(0)), /not a torrent file: the file ends/);
  assert.match(reasonOf(Buffer.from('<html>')), /not a torrent file: a value was expected/);
  assert.match(reasonOf(Buffer.from('i1e')), /no dictionary/);
  assert.match(reasonOf(Buffer.from('de')), /no info dictionary/);
  assert.match(reasonOf(Buffer.from('d4:infodee')), /neither v1 pieces nor a v2 file tree/);
});

test('piece sizes and piece hashes are checked', () => {
  for (const length of [0, -1, 16_383, 2 ** 28 + 1, 'x', 2n ** 60n]) {
    const set = (info: Dict): Dict => info.set('piece length', length);
    assert.match(reasonAfter('folder-v1', set), /piece size is missing or not between/);
  }
  assert.match(
    reasonAfter('file-v2', (info) => info.set('piece length', 20_000)),
    /power of two/,
  );
  const pieces = (size: number) => (info: Dict) => info.set('pieces', new Uint8Array(size));
  assert.match(reasonAfter('file-v1', pieces(40)), /are 40 bytes, expected 60/);
  assert.match(reasonAfter('file-v1', pieces(80)), /are 80 bytes, expected 60/);
  assert.equal(reasonAfter('file-v1', pieces(60)), 'accepted');
  assert.match(
    reasonAfter('file-v1', (info) => info.set('pieces', 5)),
    /hashes are missing/,
  );
});

test('paths that leave their folder or name devices are refused', () => {
  for (const [path, words] of [
    [['..', 'a'], /points out of its folder/],
    [['a', '.'], /points out of its folder/],
    [[''], /is empty/],
    [[], /path of a file is empty/],
    [['a/b'], /path separator/],
    [['/etc', 'passwd'], /path separator/],
    [['a\\b'], /path separator/],
    [['C:', 'a'], /letter of a drive/],
    [['a\0b'], /control character/],
    [['a\nb'], /control character/],
    [['a\u202efdp.exe'], /reverse the direction/],
    [['sub', 'NUL'], /device on Windows/],
    [['com1.txt'], /device on Windows/],
    [['aux .a'], /device on Windows/],
    [['...'], /drop all of its characters/],
    [['ü'.repeat(128)], /longer than 255 bytes/],
    [Array(65).fill('a'), /more than 64 folders deep/],
    [Array(10).fill('a'.repeat(200)), /longer than 1024 bytes/],
    [[new Uint8Array([0xff, 0xfe])], /not valid UTF-8/],
  ] as const) {
    assert.match(withPaths(path), words, JSON.stringify(path));
  }
  for (const name of ['..', 'a/b', '', 'con']) {
    assert.match(
      reasonAfter('file-v1', (info) => info.set('name', name)),
      /Its name .* cannot/,
    );
    const asFolder = (info: Dict): Dict =>
      info.set('file tree', new Map([[name, info.get('file tree') as Dict]]));
    assert.match(reasonAfter('folder-v2', asFolder), name === '' ? /without a name/ : /The name/);
  }
  assert.equal(withPaths(['ab: c', '….txt'], ['console', 'nulled', 'com10', '日本語']), 'accepted');
});

test('the older spelling of a name beside its UTF-8 one must be harmless as well', () => {
  const both = (plain: Uint8Array, modern: string): string =>
    reasonAfter('folder-v1', (info) => {
      info.set('files', [{ length: 1, path: [plain], 'path.utf-8': [modern] }]);
      info.set('pieces', new Uint8Array(20));
    });
  assert.equal(both(new Uint8Array([0xfc]), 'ü'), 'accepted');
  assert.match(both(Buffer.from('..'), 'ü'), /points out of its folder/);
  const name = (info: Dict): Dict => info.set('name', '../x').set('name.utf-8', 'x');
  assert.match(reasonAfter('file-v1', name), /path separator/);
});

test('names that fall together on some disks are refused', () => {
  for (const paths of [
    [['a'], ['a']],
    [['README'], ['readme']],
    [['é'], ['e\u0301']],
    [['straße'], ['STRASSE']],
    [['a.'], ['a']],
    [['a', 'b'], ['A']],
    [['a'], ['A', 'b']],
  ]) {
    assert.match(withPaths(...paths), /would be one file/, JSON.stringify(paths));
  }
  assert.equal(withPaths(['A', 'x'], ['a', 'y'], ['ab']), 'accepted');
});

test('sizes and numbers of files are bounded', () => {
  const length = (value: BencodeInput) => (info: Dict) => info.set('length', value);
  assert.match(reasonAfter('file-v1', length(-1)), /length of its file/);
  assert.match(reasonAfter('file-v1', length('5')), /length of its file/);
  const empty = (info: Dict): Dict => info.set('length', 0).set('pieces', new Uint8Array(0));
  assert.match(reasonAfter('file-v1', empty), /All of its files are empty/);
  const many = (count: number, size: number) => (info: Dict) =>
    info.set(
      'files',
      Array.from({ length: count }, (_, i) => ({ length: size, path: [`${i}`] })),
    );
  // As bytes: it would take a second to be made.
  const pad = 'd4:attr1:p6:lengthi0e4:pathl4:.padee';
  const tooMany = (info: Dict): Dict =>
    info.set('files', new RawBencode(Buffer.from(`l${pad.repeat(2_000_001)}e`)));
  assert.match(reasonAfter('folder-v1', tooMany), /more than 1000000 files/);
  assert.match(reasonAfter('folder-v1', many(2, 2 ** 50)), /larger than/);
  assert.match(reasonAfter('folder-v1', many(0, 0)), /list of files is empty/);
  assert.match(reasonAfter('file-v1', many(1, 1)), /both a length and a list/);
});

test('symbolic links are refused in v1 and v2', () => {
  const entry = { attr: 'l', length: 1, path: ['a'], 'symlink path': ['..', 'etc'] };
  const list = (info: Dict): Dict => info.set('files', [entry]);
  assert.match(reasonAfter('folder-v1', list), /symbolic link/);
  const tree = new Map([['a', new Map([['', { attr: 'l', length: 0 }]])]]);
  assert.match(
    reasonAfter('folder-v2', (info) => info.set('file tree', tree)),
    /symbolic link/,
  );
});

test('a file tree of another form is refused', () => {
  const tree = (value: BencodeInput): string =>
    reasonAfter('folder-v2', (info) => info.set('file tree', value));
  const leaf = (fields: BencodeInput): BencodeInput => new Map([['a', new Map([['', fields]])]]);
  const root = new Uint8Array(32);
  assert.match(tree(new Map()), /file tree is missing or empty/);
  assert.match(tree(new Map([['a', 5]])), /no dictionary/);
  assert.match(tree(new Map([['a', new Map()]])), /folder "a" in its file tree is empty/);
  assert.match(tree(leaf(5)), /not a dictionary/);
  assert.match(tree(leaf({ length: 5 })), /root hash of "a" is missing/);
  assert.match(tree(leaf({ length: 5, 'pieces root': new Uint8Array(20) })), /root hash of "a"/);
  assert.match(tree(leaf({ length: 0, 'pieces root': root })), /is empty and must not have/);
  assert.match(tree(leaf({ 'pieces root': root })), /length of "a" is missing/);
  const both = new Map<string, BencodeInput>([
    ['', { length: 0 }],
    ['b', new Map()],
  ]);
  assert.match(tree(new Map([['a', both]])), /both a file and a folder/);
  const version = (value: BencodeInput): string =>
    reasonAfter('folder-v2', (info) => info.set('meta version', value));
  assert.match(version(3), /version of BitTorrent that is not known/);
  // The keys of this tree are swapped in place, so nothing else differs.
  const bytes = golden('folder-v2');
  const swapped = Buffer.from(bytes).toString('latin1').replace('5:notes', '6:znotes');
  assert.match(reasonOf(Buffer.from(swapped, 'latin1')), /not in order/);
});

test('piece layers are verified against the roots', () => {
  const layers = (edit: (layers: Dict, key: string) => void): string =>
    reasonAfter('file-v2', (_, root) => {
      const dict = root.get('piece layers') as Dict;
      edit(dict, [...dict.keys()][0] ?? '');
    });
  assert.match(
    layers((dict) => dict.clear()),
    /piece hashes of "three.bin" are missing/,
  );
  assert.match(
    layers((dict, key) => dict.set(key, new Uint8Array(64))),
    /are 64 bytes, expected 96/,
  );
  assert.match(
    layers((dict, key) => dict.set(key, new Uint8Array(96))),
    /do not match its root/,
  );
  assert.match(
    layers((dict) => dict.set('x', new Uint8Array(32))),
    /belong to none of its files/,
  );
  const none = (_: Dict, root: Dict): unknown => root.delete('piece layers');
  assert.match(reasonAfter('file-v2', none), /are missing/);
  assert.match(
    reasonAfter('file-v2', (_, root) => root.set('piece layers', 1)),
    /not a dictionary/,
  );
});

test('a hybrid torrent whose halves differ is refused', () => {
  const files = (edit: (files: BencodeInput[]) => void): string =>
    reasonAfter('folder-hybrid', (info) => {
      const list = [...(info.get('files') as BencodeInput[])];
      edit(list);
      info.set('files', list);
      const bytes = list.reduce<number>(
        (sum, file) => sum + Number((file as Dict).get('length')),
        0,
      );
      info.set('pieces', new Uint8Array(Math.ceil(bytes / PIECE) * 20));
    });
  const file = (length: number, name: string, attr?: string): BencodeInput =>
    new Map<string, BencodeInput>([
      ...(attr === undefined ? [] : [['attr', attr] as const]),
      ['length', length],
      ['path', [name]],
    ]);
  assert.equal(
    files(() => {}),
    'accepted',
  );
  assert.match(
    files((list) => list.splice(3, 1)),
    /"readme.txt" does not begin at a piece/,
  );
  assert.match(
    files((list) => list.pop()),
    /"readme.txt" is only in the v2 tree/,
  );
  assert.match(
    files((list) => list.splice(4, 1, file(12, 'readme.txt'))),
    /has two sizes/,
  );
  assert.match(
    files((list) => list.splice(4, 1, file(11, 'x'))),
    /stands where "readme.txt" is/,
  );
  const extra = [file(PIECE - 11, 'pad', 'p'), file(1, 'x')];
  assert.match(
    files((list) => list.push(...extra)),
    /"x" is only in the v1 list/,
  );
  assert.match(
    files((list) => list.splice(0, 0, file(PIECE, 'pad', 'p'))),
    /a piece long/,
  );
  assert.equal(
    files((list) => list.push(file(PIECE - 11, 'pad', 'p'))),
    'accepted',
  );
  const folder = (info: Dict): void => {
    info.delete('length');
    info.set('files', [file(40_000, 'three.bin')]);
  };
  assert.match(reasonAfter('file-hybrid', folder), /one is a single file, the other a folder/);
});

test('rewriteTorrent() keeps the info dictionary and puts our trackers in place of others', () => {
  const { root } = opened('folder-hybrid');
  root.set('announce-list', [['udp://other.example:1/announce']]);
  root.set('url-list', ['http://other.example/']);
  root.set('httpseeds', ['http://other.example/']);
  root.set('nodes', [['other.example', 1]]);
  const before = encodeBencode(root);
  const announceTiers = [['http://a.example/k/announce'], ['udp://a.example:6969/k/announce']];
  const done = rewriteTorrent(before, { announceTiers, webSeeds: ['https://a.example/seed/'] });
  assert.ok(done.ok && !done.hashChanged && done.notes.length === 0);
  const [was, is] = [parsed(before), parsed(done.bytes)];
  assert.deepEqual(is.announceTiers, announceTiers);
  assert.deepEqual(is.webSeeds, ['https://a.example/seed/']);
  assert.deepEqual([is.infoHashV1, is.infoHashV2], [was.infoHashV1, was.infoHashV2]);
  assert.deepEqual(is.pieceLayers, was.pieceLayers);
  assert.equal(is.comment, 'golden');
  assert.doesNotMatch(Buffer.from(done.bytes).toString('latin1'), /other\.example/);
});

test('rewriteTorrent() keeps an info dictionary with keys out of order byte for byte', () => {
  const info = `d6:pieces20:${'x'.repeat(20)}12:piece lengthi16384e4:name1:a6:lengthi5ee`;
  const bytes = Buffer.from(`d4:info${info}8:announce5:http:e`);
  const done = rewriteTorrent(bytes, { announceTiers: [['http://a.example/']], comment: 'new' });
  assert.ok(done.ok);
  assert.equal(
    Buffer.from(done.bytes).toString(),
    `d8:announce17:http://a.example/7:comment3:new4:info${info}e`,
  );
});

test('rewriteTorrent() sets the private flag and source where missing and says what that means', () => {
  const edits = { announceTiers: [], private: true, source: 'KEEP' } as const;
  const done = rewriteTorrent(golden('folder-v1'), edits);
  assert.ok(done.ok && done.hashChanged);
  assert.deepEqual(
    done.notes.map((note) => /private|source|info hash/.exec(note)?.[0]),
    ['private', 'source', 'info hash'],
  );
  const metainfo = parsed(done.bytes);
  assert.deepEqual([metainfo.private, metainfo.source], [true, 'KEEP']);
  assert.deepEqual(metainfo.announceTiers, []);
  assert.deepEqual(metainfo.files, parsed(golden('folder-v1')).files);
  const again = rewriteTorrent(done.bytes, { ...edits, source: 'OTHER' });
  assert.ok(again.ok && !again.hashChanged);
  assert.equal(parsed(again.bytes).source, 'KEEP');
  assert.equal(rewriteTorrent(Buffer.from('le'), edits).ok, false);
});

test('makeMetainfo() refuses unsafe names and files that change', async () => {
  const file = (path: string[], sizeBytes: number) => ({
    path,
    sizeBytes,
    async *read() {
      yield new Uint8Array(5);
    },
  });
  const make = async (name: string, path: string[], sizeBytes: number): Promise<string> => {
    const files = [file(path, sizeBytes)];
    const made = await makeMetainfo({ version: 'hybrid', name, singleFile: false, files });
    return made.ok ? 'made' : made.reason;
  };
  assert.equal(await make('a', ['b'], 5), 'made');
  assert.match(await make('..', ['b'], 5), /cannot be used/);
  assert.match(await make('a', ['b', 'nul'], 5), /cannot be used/);
  assert.match(
    await make('a', ['..', 'nul', 'c'], 5),
    /"\.\." cannot .* "nul" cannot/,
    'all of them',
  );
  assert.match(await make('a', ['b'], 6), /"b" changed its size/);
});

test('makeMetainfo() reads nothing of what could be no torrent in the end', async () => {
  const refusal = async (paths: string[][], sizeBytes = 5): Promise<string> => {
    const files = paths.map((path) => ({
      ...{ path, sizeBytes },
      // biome-ignore lint/correctness/useYield: it must not even be asked
      async *read(): AsyncGenerator<Uint8Array> {
        throw new Error('it was read');
      },
    }));
    const made = await makeMetainfo({ version: 'v1', name: 'a', singleFile: false, files });
    return made.ok ? 'made' : made.reason;
  };
  const deep = Array.from({ length: 65 }, () => 'd');
  for (const [paths, words] of [
    [[['one'], ['Case', 'b'], ['case', 'b']], /"case\/b" and "Case\/b" would be one file/],
    [[['one'], ['b.'], ['b']], /would be one file/],
    [[deep], /deep/],
    [[Array.from({ length: 5 }, () => 'x'.repeat(250))], /longer than 1024 bytes/],
  ] as const) {
    assert.match(await refusal(paths.map((path) => [...path])), words);
  }
  assert.match(await refusal([['one'], ['two']], 0), /are empty/);
  await assert.rejects(refusal([['one'], ['two']]), /it was read/);
});

test('choosePieceLength() stays between 16 KiB and 16 MiB', () => {
  assert.deepEqual([0, 24e6, 25e6, 1e9, 1e15].map(choosePieceLength), [
    16_384,
    16_384,
    32_768,
    2 ** 20,
    2 ** 24,
  ]);
});

test('any damaged torrent is read or refused in a sentence', (context) => {
  const random = new SeededRandom(testSeed(context, 71));
  const files = ['folder-v1', 'folder-v2', 'folder-hybrid'].map(golden);
  let refused = 0;
  for (let round = 0; round < 12_000; round++) {
    const bytes = mutate(files[round % 3] as Uint8Array, random);
    const result = parseMetainfo(bytes);
    if (!result.ok) {
      refused += 1;
      assert.match(result.reason, /^(It|This|A|All|The|".*) ?.*[^.]\.$/s);
      continue;
    }
    const rewritten = rewriteTorrent(bytes, { announceTiers: [['http://a.example/']] });
    assert.ok(rewritten.ok);
    assert.deepEqual(parsed(rewritten.bytes).infoHashV1, result.metainfo.infoHashV1);
  }
  assert.ok(refused > 5_000 && refused < 12_000, `${refused} were refused`);
});
