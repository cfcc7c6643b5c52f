// What a forwarder knows after it was killed: where it stands in each file, and the batch that may or
// may not have reached the log. Written before every batch is sent, so that the same records are sent
// again under the same sequence and the log takes them once.
//
//   4 bytes  length of the JSON, u32 little endian
//   4 bytes  CRC32C of all that follows
//   JSON     { version, producer, sequence, files, pending: number of records }
//   records  of the pending batch, as packed-records.ts lays them out

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from '#base/errors.ts';
import { CliError } from '#cli/errors.ts';
import { crc32c } from '#log/segment/crc32c.ts';
import { PackedRecords } from '#log/segment/packed-records.ts';

const VERSION = 1;

/** A file that is being followed, and how far. */
export interface FilePosition {
  /** Device and inode: what stays when a file is renamed. */
  readonly device: number;
  readonly inode: number;
  readonly bornMs: number;
  /** Everything before is in the log, or in the pending batch. */
  readonly offset: number;
  /** The file's first bytes in hexadecimal, by which a truncated and refilled file is told. */
  readonly head: string;
}

export interface ForwardState {
  readonly producer: number;
  readonly sequence: number;
  readonly files: Readonly<Record<string, FilePosition>>;
  readonly pending: PackedRecords | undefined;
}

/** Undefined when there is none. @throws CliError CLI_DATA_UNUSABLE when it cannot be understood */
export function loadForwardState(path: string): ForwardState | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new CliError('CLI_DATA_UNUSABLE', `Cannot read "${path}"`, { cause: error });
  }
  const length = bytes.byteLength >= 8 ? bytes.readUInt32LE(0) : Infinity;
  if (8 + length > bytes.byteLength || bytes.readUInt32LE(4) !== crc32c(bytes, 8)) {
    throw new CliError(
      'CLI_DATA_UNUSABLE',
      `Cannot use "${path}": it is damaged. Without it, what was forwarded before is forwarded again`,
    );
  }
  const json = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as {
    readonly version: number;
    readonly producer: number;
    readonly sequence: number;
    readonly files: Readonly<Record<string, FilePosition>>;
    readonly pending: number;
  };
  if (json.version !== VERSION) {
    throw new CliError('CLI_DATA_UNUSABLE', `Cannot use "${path}": version ${json.version}`);
  }
  const { producer, sequence, files } = json;
  const pending =
    json.pending === 0 ? undefined : new PackedRecords(json.pending, bytes.subarray(8 + length));
  return { producer, sequence, files, pending };
}

/** On disk when it returns. @throws the disk's error */
export function saveForwardState(path: string, state: ForwardState): void {
  const { producer, sequence, files, pending } = state;
  const json = Buffer.from(
    JSON.stringify({ version: VERSION, producer, sequence, files, pending: pending?.count ?? 0 }),
  );
  const records = pending?.bytes ?? new Uint8Array(0);
  const bytes = Buffer.alloc(8 + json.byteLength + records.byteLength);
  bytes.set(json, 8);
  bytes.set(records, 8 + json.byteLength);
  bytes.writeUInt32LE(json.byteLength, 0);
  bytes.writeUInt32LE(crc32c(bytes, 8), 4);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openSync(`${path}.tmp`, 'w', 0o600);
  try {
    for (let at = 0; at < bytes.byteLength; ) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.tmp`, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
