import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import { readS3Failure, readS3Page } from './s3-answers.ts';

const FUZZ_CASES = 5000;

/** Written after the examples of AWS's reference. */
const PAGE = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>blobs</Name><Prefix>keep/</Prefix><EncodingType>url</EncodingType>
  <NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=&amp;x</NextContinuationToken>
  <KeyCount>2</KeyCount><MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated>
  <Contents>
    <Key>keep/a%26b+c%2B%C3%A4</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>
    <ETag>&quot;70ee1738b6b21e2c8a43f3a5ab0eee71&quot;</ETag><Size>1111</Size>
    <Owner><ID>1</ID><DisplayName>Key</DisplayName></Owner>
  </Contents>
  <Contents><Key>keep/b</Key><Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>
</ListBucketResult>
`;

describe('answers of an S3 service', () => {
  it('a page gives names, sizes and where the next begins', () => {
    assert.deepEqual(readS3Page(utf8(PAGE)), {
      objects: [
        { key: 'keep/a&b c+ä', bytes: 1111 },
        { key: 'keep/b', bytes: 0 },
      ],
      isTruncated: true,
      token: '1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=&x',
    });
    const plain = PAGE.replace('<EncodingType>url</EncodingType>', '').replace('+c', '&lt;&#x63;');
    assert.equal(readS3Page(utf8(plain))?.objects[0]?.key, 'keep/a%26b<c%2B%C3%A4');
  });

  it('a page that is cut, lacks something or is another document is none', () => {
    for (let length = 0; length < PAGE.trimEnd().length; length++) {
      assert.equal(readS3Page(utf8(PAGE.slice(0, length))), undefined);
    }
    for (const [from, to] of [
      ['<Size>0</Size>', ''],
      ['<Size>0</Size>', '<Size>-1</Size>'],
      ['<Key>keep/b</Key>', ''],
      ['<Key>keep/b</Key>', '<Key>%E0%A4%A</Key>'],
      ['<IsTruncated>true</IsTruncated>', ''],
      ['<IsTruncated>true', '<IsTruncated>perhaps'],
      ['ListBucketResult', 'ListAllMyBucketsResult'],
    ] as const) {
      assert.equal(readS3Page(utf8(PAGE.replaceAll(from, to))), undefined, to);
    }
  });

  it('a failure gives its code and words on one line, and the region where it is told', () => {
    const body = `<?xml version="1.0"?><Error><Code>AuthorizationHeaderMalformed</Code>
      <Message>first\nsecond\u001b[31m\u2028third ${'x'.repeat(500)}</Message><Region>eu-1</Region></Error>`;
    const { code, message, region } = readS3Failure(utf8(body));
    assert.equal(code, 'AuthorizationHeaderMalformed');
    assert.ok(message.startsWith('first second [31m third xxx') && message.length === 300, message);
    assert.equal(region, 'eu-1');
    assert.deepEqual(readS3Failure(utf8('<html>')), { code: '', message: '', region: undefined });
  });

  it('whatever bytes come, reading them neither throws nor takes long', (context) => {
    const random = new SeededRandom(testSeed(context, 1));
    const golden = utf8(PAGE);
    for (let count = 0; count < FUZZ_CASES; count++) {
      const bytes = mutate(golden, random);
      for (const { key, bytes: size } of readS3Page(bytes)?.objects ?? []) {
        assert.ok(typeof key === 'string' && Number.isSafeInteger(size) && size >= 0);
      }
      readS3Failure(bytes);
    }
    // Many openings without an end must not make it read the rest again for each.
    const openings = utf8(`<ListBucketResult>${'<Contents>'.repeat(700_000)}</ListBucketResult>`);
    assert.equal(readS3Page(openings), undefined);
    assert.equal(readS3Failure(utf8('<Error>'.repeat(9000))).code, '');
  });
});
