import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { utf8 } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import { BENCODE_LIMITS, type BencodeNode, decodeBencode } from './bencode.ts';
import { type BencodeInput, encodeBencode, RawBencode } from './bencode-encoder.ts';

function decoded(text: string): BencodeNode {
  const result = decodeBencode(Buffer.from(text, 'latin1'));
  assert.ok(result.ok, `${text} was refused`);
  return result.node;
}

function refusalOf(text: string): string {
  const result = decodeBencode(Buffer.from(text, 'latin1'));
  return result.ok ? 'accepted' : `${result.refusal} ${result.position}`;
}

/** Plain values, for comparing. */
function plain(node: BencodeNode): unknown {
  if (node.kind === 'integer') return node.value;
  if (node.kind === 'bytes') return Buffer.from(node.value).toString('latin1');
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.entries].map(([key, value]) => [key, plain(value)]));
}

test('decodeBencode() reads each kind of value', () => {
  assert.deepEqual(plain(decoded('d1:ai-5e1:b3:\0ÿx1:clli0eeee')), {
    a: -5,
    b: '\0ÿx',
    c: [[0]],
  });
  assert.equal(plain(decoded('0:')), '');
  assert.deepEqual(plain(decoded('de')), {});
});

test('decodeBencode() gives the span of every value', () => {
  const node = decoded('d4:infod1:ai1ee1:zi2ee');
  assert.equal(node.kind, 'dict');
  const info = node.kind === 'dict' ? node.entries.get('info') : undefined;
  assert.deepEqual([info?.start, info?.end], [7, 15]);
});

test('decodeBencode() keeps integers beyond the safe ones as bigint', () => {
  assert.equal(plain(decoded('i9007199254740991e')), 9007199254740991);
  assert.equal(plain(decoded('i9007199254740992e')), 9007199254740992n);
  assert.equal(plain(decoded('i-9223372036854775808e')), -9223372036854775808n);
  assert.equal(plain(decoded('i18446744073709551615e')), 18446744073709551615n);
  assert.equal(refusalOf('i184467440737095516150e'), 'bad-integer 0');
});

test('decodeBencode() accepts keys out of order and remembers it', () => {
  const node = decoded('d1:bi1e1:ai2ee');
  assert.equal(node.kind === 'dict' && node.sorted, false);
  const sorted = decoded('d1:ai1e2:aai2e1:bi2ee');
  assert.equal(sorted.kind === 'dict' && sorted.sorted, true);
});

test('decodeBencode() refuses what two programs could read differently', () => {
  assert.equal(refusalOf('i01e'), 'bad-integer 0');
  assert.equal(refusalOf('i-0e'), 'bad-integer 0');
  assert.equal(refusalOf('i-e'), 'bad-integer 0');
  assert.equal(refusalOf('i+1e'), 'bad-integer 0');
  assert.equal(refusalOf('i1.0e'), 'bad-integer 0');
  assert.equal(refusalOf('01:a'), 'bad-length 0');
  assert.equal(refusalOf('1a'), 'bad-length 0');
  assert.equal(refusalOf('9999999999:a'), 'bad-length 0');
  assert.equal(refusalOf('d1:ai1e1:ai2ee'), 'duplicate-key 7');
  assert.equal(refusalOf('i1ei2e'), 'bytes-after-end 3');
  assert.equal(refusalOf('di1ei2ee'), 'unexpected-byte 1');
});

test('decodeBencode() refuses what ends early, at the place', () => {
  assert.equal(refusalOf(''), 'ends-early 0');
  assert.equal(refusalOf('i12'), 'ends-early 3');
  assert.equal(refusalOf('5:abc'), 'ends-early 0');
  assert.equal(refusalOf('l1:a'), 'ends-early 4');
  assert.equal(refusalOf('d1:a'), 'ends-early 4');
  assert.equal(refusalOf('d'), 'ends-early 1');
  assert.equal(refusalOf('d1:ae'), 'unexpected-byte 4');
});

test('decodeBencode() holds its bounds', () => {
  const deep = 'l'.repeat(BENCODE_LIMITS.depthMax) + 'e'.repeat(BENCODE_LIMITS.depthMax);
  assert.equal(refusalOf(deep), 'accepted');
  assert.equal(refusalOf(`l${deep}e`), `too-deep ${BENCODE_LIMITS.depthMax}`);
  assert.equal(refusalOf('l'.repeat(100_000)), `too-deep ${BENCODE_LIMITS.depthMax}`);
  const small = { bytesMax: 10, depthMax: 5, itemsMax: 3 };
  assert.equal(decodeBencode(utf8('l0:0:e'), small).ok, true);
  const items = decodeBencode(utf8('l0:0:0:e'), small);
  assert.equal(!items.ok && items.refusal, 'too-many-values');
  const large = decodeBencode(utf8('9:123456789'), small);
  assert.equal(!large.ok && large.refusal, 'too-large');
});

test('encodeBencode() writes keys in byte order', () => {
  const encode = (value: BencodeInput): string => Buffer.from(encodeBencode(value)).toString();
  assert.equal(encode({ b: 1, a: ['x', -2], absent: undefined }), 'd1:al1:xi-2ee1:bi1ee');
  assert.equal(encode({ ü: 1, z: 2 }), 'd1:zi2e2:üi1ee');
  assert.equal(encode(new Map<string, BencodeInput>([['\u00ff', 1]])).length, 'd1:?i1ee'.length);
  assert.equal(encode([new RawBencode(utf8('i7e')), 8n]), 'li7ei8ee');
});

const input: fc.Arbitrary<BencodeInput> = fc.letrec<{ value: BencodeInput }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.maxSafeInteger().map((number) => number + 0),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc
      .array(fc.tuple(fc.uint8Array({ maxLength: 8 }), tie('value')), { maxLength: 5 })
      .map((pairs) => new Map(pairs.map(([k, v]) => [Buffer.from(k).toString('latin1'), v]))),
  ),
})).value;

function again(node: BencodeNode): BencodeInput {
  if (node.kind === 'list') return node.items.map(again);
  if (node.kind === 'dict') return new Map([...node.entries].map(([k, v]) => [k, again(v)]));
  return node.value;
}

test('what encodeBencode() writes, decodeBencode() reads, and it is written the same again', () => {
  fc.assert(
    fc.property(input, (value) => {
      const bytes = encodeBencode(value);
      const result = decodeBencode(bytes);
      assert.ok(result.ok);
      assert.deepEqual(encodeBencode(again(result.node)), bytes);
    }),
    { numRuns: 500, seed: 5 },
  );
});

test('decodeBencode() answers any damaged bytes, and spans stay inside of them', (context) => {
  const random = new SeededRandom(testSeed(context, 11));
  const golden = encodeBencode({
    a: [1, -2, 'text', { deep: [[]] }],
    info: { length: 2 ** 40, name: 'x'.repeat(30), pieces: new Uint8Array(40) },
  });
  for (let round = 0; round < 20_000; round++) {
    const bytes = mutate(golden, random);
    const result = decodeBencode(bytes);
    if (result.ok) checkSpans(result.node, 0, bytes.length);
    else assert.ok(result.position >= 0 && result.position <= bytes.length);
  }
});

test('what is held packed has the same values, and is as strictly read', (context) => {
  const random = new SeededRandom(testSeed(context, 12));
  const packed = { ...BENCODE_LIMITS, packed: { depthMin: 2, bytesMax: 40 } };
  const golden = encodeBencode({
    a: [1, -2, ['text', { deep: [[]] }]],
    info: {
      files: [{ b: 1, a: ['x'] }, { c: 'y'.repeat(40) }],
      tree: new Map([['f', new Map([['', { length: 5, root: new Uint8Array(20) }]])]]),
    },
  });
  let read = 0;
  for (let round = 0; round < 20_000; round++) {
    const bytes = round === 0 ? golden : mutate(golden, random);
    const plain = decodeBencode(bytes);
    const result = decodeBencode(bytes, packed);
    assert.equal(result.ok, plain.ok);
    if (!plain.ok || !result.ok) {
      assert.deepEqual(result, plain);
      continue;
    }
    read += 1;
    checkSpans(result.node, 0, bytes.length);
    assert.deepEqual(shape(result.node), shape(plain.node));
  }
  assert.ok(read > 100, `${read} were accepted`);
});

test('what is held packed counts as one value', () => {
  const limits = { ...BENCODE_LIMITS, itemsMax: 6, packed: { depthMin: 1, bytesMax: 20 } };
  const small = 'li1ei2ee';
  assert.equal(decodeBencode(utf8(`l${small.repeat(3)}e`), limits).ok, true);
  const large = `li1e20:${'x'.repeat(20)}e`;
  const tooMany = decodeBencode(utf8(`l${large}${small}e`), limits);
  assert.equal(!tooMany.ok && tooMany.refusal, 'too-many-values');
});

/** With where everything stands, and whether keys were in order. */
function shape(node: BencodeNode): unknown {
  const { kind, start, end } = node;
  if (kind === 'list') return [start, end, node.items.map(shape)];
  if (kind !== 'dict') return [start, end, node.value];
  return [start, end, node.sorted, [...node.entries].map(([key, value]) => [key, shape(value)])];
}

function checkSpans(node: BencodeNode, start: number, end: number): void {
  assert.ok(node.start >= start && node.end <= end && node.start < node.end);
  if (node.kind === 'list') for (const item of node.items) checkSpans(item, node.start, node.end);
  if (node.kind === 'dict') {
    for (const item of node.entries.values()) checkSpans(item, node.start, node.end);
  }
}
