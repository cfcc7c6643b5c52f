import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { SimDisk } from '#sim/disk.ts';
import { s3Config } from '#store/config.ts';
import { parseS3Credentials, readS3Credentials } from './s3-credentials.ts';

describe('keys of an S3 store', () => {
  it('are read from a file as AWS’s tools write it, with or without heading', () => {
    const keys = { accessKeyId: 'AKID', secretAccessKey: 'a/b+c=' };
    const lines = 'aws_access_key_id = AKID\r\naws_secret_access_key=a/b+c=\n';
    assert.deepEqual(parseS3Credentials(lines), keys);
    const other = '[other]\naws_access_key_id = X\naws_secret_access_key = Y\n';
    assert.deepEqual(parseS3Credentials(`# mine\n[default]\n${lines}\n${other}`), keys);
    assert.deepEqual(parseS3Credentials(`${other}[ default ]\n${lines}aws_session_token = T`), {
      ...keys,
      sessionToken: 'T',
    });
    for (const text of ['', other, 'aws_access_key_id = AKID', lines.replace('a/b+c=', '')]) {
      assert.equal(parseS3Credentials(text), undefined);
    }
  });

  it('a file without them is named, and nothing it says', async () => {
    const disk = new SimDisk({ random: new SeededRandom(1) });
    const file = await disk.create('/keys');
    await file.write(utf8('aws_secret_access_key = very-secret\n'), 0);
    await file.close();
    await assert.rejects(readS3Credentials(disk, ''), /no key file is set \(s3\.keyFile\)/);
    for (const path of ['/keys', '/missing']) {
      await assert.rejects(readS3Credentials(disk, path), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'STORE_S3_SETTINGS_INVALID');
        assert.ok(error.message.includes(path) && !error.message.includes('very-secret'));
        return true;
      });
    }
  });

  it('have no place in the address, nor has anything else that does not belong there', () => {
    const isGood = (endpoint: string): boolean => s3Config.safeParse({ endpoint }).success;
    for (const good of ['', 'https://s3.example.org', 'http://[::1]:9000/path']) {
      assert.ok(isGood(good), good);
    }
    for (const bad of [
      's3.example.org',
      'ftp://s3.example.org',
      'https://key:secret@s3.example.org',
      'https://s3.example.org/?x',
      'https://s3.example.org/#x',
    ]) {
      assert.ok(!isGood(bad), bad);
    }
  });
});
