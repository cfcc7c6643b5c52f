// The keys of an S3 service, from a file in the format that AWS's own tools keep them in:
//
//   [default]
//   aws_access_key_id = AKIA…
//   aws_secret_access_key = …
//   aws_session_token = …          (temporary keys only)
//
// The section's heading may be left out; of several sections `default` is read. What the file says is
// never part of a message.

import type { Disk } from '#base/disk.ts';
import { StoreError } from '#store/errors.ts';

const FILE_BYTES_MAX = 65_536;

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** STORE_S3_SETTINGS_INVALID when there is no such file or no keys are in it. */
export async function readS3Credentials(disk: Disk, path: string): Promise<S3Credentials> {
  if (path === '') {
    const words = 'Cannot open the S3 store: no key file is set (s3.keyFile)';
    throw new StoreError('STORE_S3_SETTINGS_INVALID', words);
  }
  let text: string;
  try {
    const file = await disk.open(path, { write: false });
    try {
      const bytes = Buffer.alloc(Math.min(await file.sizeBytes(), FILE_BYTES_MAX));
      text = bytes.subarray(0, await file.read(bytes, 0)).toString('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new StoreError('STORE_S3_SETTINGS_INVALID', `Cannot read the key file "${path}"`, {
      cause: error,
    });
  }
  const found = parseS3Credentials(text);
  if (found !== undefined) return found;
  throw new StoreError(
    'STORE_S3_SETTINGS_INVALID',
    `The key file "${path}" has no aws_access_key_id and aws_secret_access_key`,
  );
}

/** Undefined when they are not in it. */
export function parseS3Credentials(text: string): S3Credentials | undefined {
  const values = new Map<string, string>();
  let section = 'default';
  for (const line of text.split(/\r?\n/)) {
    const heading = /^\s*\[\s*([^\]]*?)\s*\]\s*$/.exec(line);
    if (heading !== null) section = heading[1] ?? '';
    const [, name = '', value = ''] = /^\s*([a-z_]+)\s*=\s*([\x21-\x7e]+)\s*$/.exec(line) ?? [];
    if (section === 'default' && name !== '') values.set(name, value);
  }
  const accessKeyId = values.get('aws_access_key_id');
  const secretAccessKey = values.get('aws_secret_access_key');
  const sessionToken = values.get('aws_session_token');
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}
