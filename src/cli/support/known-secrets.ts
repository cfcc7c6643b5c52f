// Every secret that this data folder and its settings are known to have, in each writing it may be met in,
// for the redactor to cut. They are read here and go nowhere else.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '#base/bytes.ts';
import type { Config } from '#config/schema.ts';

const FILE_BYTES_MAX = 65_536;

export function knownSecrets(dataPath: string, config: Config | undefined): readonly string[] {
  const keys = join(dataPath, 'keys');
  const files = filesIn(keys).map((name) => join(keys, name));
  if (config === undefined) return files.flatMap(writingsOf);
  const { site, tracker, store, s3, sql } = config;
  const named = [site.smtpPasswordFile, site.tlsKeyFile, tracker.tlsKeyFile];
  const all = [...files, ...named, store.keyFile, s3.keyFile].filter((path) => path !== '');
  return [...all.flatMap(writingsOf), ...userinfoOf(sql.url), ...userinfoOf(site.smtpUrl)];
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Of a file of bytes or of lines. None when it cannot be read: then nothing can quote it either. */
function writingsOf(path: string): readonly string[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path).subarray(0, FILE_BYTES_MAX);
  } catch {
    return [];
  }
  const text = bytes.toString('utf8');
  // `name = value`, JSON and plain lines alike.
  const words = text.split(/[\s"'=,:{}[\]]+/).filter((word) => word.length >= 8);
  return [
    ...words,
    text.trim(),
    toHex(bytes),
    bytes.toString('base64'),
    bytes.toString('base64url'),
  ];
}

function userinfoOf(url: string): readonly string[] {
  const userinfo = /^[a-z0-9+.-]+:\/\/([^/]*)@/i.exec(url)?.[1] ?? '';
  const password = userinfo.slice(userinfo.indexOf(':') + 1);
  if (password === '') return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}
