// The snapshot of the directory: a start reads it and follows the topic `control` from its offset.
// A file of lines, each ended by a line feed:
//
//   first    {"version":1,"logId":"…","epoch":1,"offset":123,"outboxId":45}
//   middle   one control message each, as control-message.ts encodes them
//   last     the SHA-256 of everything before it, 64 hexadecimal digits
//
// The file is valid if and only if its last line is right and every line before can be read. It is
// written aside, synced and renamed, so there is a whole one or none. Damage costs time only: the
// topic holds the newest message of everything.

import { createHash } from 'node:crypto';
import { utf8 } from '#base/bytes.ts';
import type { Disk, DiskFile } from '#base/disk.ts';
import { TrackerError } from '#tracker/errors.ts';
import { type ControlMessage, decodeControl, encodeControl } from '#wire/control-message.ts';

const FILE_NAME = 'control.snapshot';
const ASIDE_NAME = 'control.snapshot.new';
const DAMAGED_NAME = 'control.snapshot.damaged';
const CHUNK_BYTES = 1 << 20;
const DIGEST_LINE_BYTES = 65;
const LF = 0x0a;

/** Which log, and how far into its topic `control`. */
export interface ControlPosition {
  readonly logId: string;
  readonly epoch: number;
  /** The next record to read. */
  readonly offset: number;
  /** The newest change of the outbox that is applied. */
  readonly outboxId: number;
}

export class ControlSnapshot {
  readonly #disk: Disk;
  readonly #folder: string;

  /** `folder` is made when it is missing. */
  constructor(world: { readonly disk: Disk; readonly folder: string }) {
    this.#disk = world.disk;
    this.#folder = world.folder;
  }

  /** Durable when it resolves; the one before stays until then. */
  async write(position: ControlPosition, messages: Iterable<ControlMessage>): Promise<void> {
    const disk = this.#disk;
    await disk.makeFolder(this.#folder);
    const aside = this.#path(ASIDE_NAME);
    if ((await disk.stat(aside)) !== undefined) await disk.remove(aside);
    const file = await disk.create(aside);
    try {
      await writeLines(file, position, messages);
      await file.datasync();
    } finally {
      await file.close();
    }
    await disk.rename(aside, this.#path(FILE_NAME));
    await disk.syncFolder(this.#folder);
  }

  /**
   * Calls `apply` for each message and returns the position; undefined when there is no snapshot.
   * @throws TrackerError TRACKER_SNAPSHOT_DAMAGED; nothing was applied
   */
  async read(apply: (message: ControlMessage) => void): Promise<ControlPosition | undefined> {
    const path = this.#path(FILE_NAME);
    const stat = await this.#disk.stat(path);
    if (stat === undefined) return undefined;
    const file = await this.#disk.open(path, { write: false });
    try {
      const bytes = new Uint8Array(stat.sizeBytes);
      const length = await file.read(bytes, 0);
      return readLines(bytes.subarray(0, length), apply);
    } finally {
      await file.close();
    }
  }

  /** Moves a damaged snapshot out of the way, for who wants to look at it. */
  async setAside(): Promise<void> {
    await this.#disk.rename(this.#path(FILE_NAME), this.#path(DAMAGED_NAME));
    await this.#disk.syncFolder(this.#folder);
  }

  #path(name: string): string {
    return `${this.#folder}/${name}`;
  }
}

async function writeLines(
  file: DiskFile,
  position: ControlPosition,
  messages: Iterable<ControlMessage>,
): Promise<void> {
  const hash = createHash('sha256');
  let at = 0;
  let parts: Uint8Array[] = [];
  let size = 0;
  const put = async (): Promise<void> => {
    const bytes = Buffer.concat(parts);
    hash.update(bytes);
    await file.write(bytes, at);
    at += bytes.byteLength;
    parts = [];
    size = 0;
  };
  const line = (bytes: Uint8Array): void => {
    parts.push(bytes, LINE_FEED);
    size += bytes.byteLength + 1;
  };
  line(utf8(JSON.stringify({ version: 1, ...position })));
  for (const message of messages) {
    line(encodeControl(message, 0));
    if (size >= CHUNK_BYTES) await put();
  }
  await put();
  await file.write(utf8(`${hash.digest('hex')}\n`), at);
}

function readLines(bytes: Uint8Array, apply: (message: ControlMessage) => void): ControlPosition {
  const bodyEnd = bytes.byteLength - DIGEST_LINE_BYTES;
  if (bodyEnd <= 0) throw damaged('it is cut off');
  const body = bytes.subarray(0, bodyEnd);
  const digest = createHash('sha256').update(body).digest('hex');
  const expected = Buffer.from(bytes.subarray(bodyEnd)).toString('latin1');
  if (expected !== `${digest}\n`) throw damaged('its checksum does not match');
  const headEnd = body.indexOf(LF);
  const position = readPosition(body.subarray(0, headEnd));
  for (let start = headEnd + 1; start < body.byteLength; ) {
    const end = body.indexOf(LF, start);
    const decoded = decodeControl(body.subarray(start, end));
    // A newer version may have written a kind that this one does not know.
    if (decoded !== undefined) apply(decoded.message);
    start = end + 1;
  }
  return position;
}

function readPosition(line: Uint8Array): ControlPosition {
  const fields = JSON.parse(Buffer.from(line).toString()) as Record<string, unknown>;
  const { version, logId, epoch, offset, outboxId } = fields;
  if (version !== 1) throw damaged(`its version is ${String(version)}, expected 1`);
  if (typeof logId !== 'string' || typeof epoch !== 'number') throw damaged('its head is wrong');
  if (typeof offset !== 'number' || typeof outboxId !== 'number')
    throw damaged('its head is wrong');
  return { logId, epoch, offset, outboxId };
}

function damaged(why: string): TrackerError {
  return new TrackerError('TRACKER_SNAPSHOT_DAMAGED', `Cannot read "${FILE_NAME}": ${why}`);
}

const LINE_FEED: Uint8Array = new Uint8Array([LF]);
