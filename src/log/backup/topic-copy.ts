// The files of a topic for a backup, while the log is in use: everything up to what is on disk, or up to
// an earlier offset. A sealed segment never changes under its open file (who rewrites one gives its name
// to another file), and of the one that is written only the batches that are on disk are named. What is
// a cache, or is found again at start, is left out: `mark`, `*.index`, `compacted`, `removing`,
// `damaged/`.

import type { Disk, DiskFile } from '#base/disk.ts';
import { TOPIC_JSON } from '#log/descriptions.ts';
import type { Log } from '#log/log.ts';
import { listSegments } from '#log/repair/recovery.ts';
import { aligned } from '#log/segment/alignment.ts';
import { readWhole } from '#log/segment/checkpoint.ts';
import { SEGMENT_HEADER_BYTES, type Segment, segmentName } from '#log/segment/segment.ts';
import { SegmentScanner } from '#log/segment/segment-scanner.ts';
import { PRODUCERS_NAME } from '#log/topic/producers.ts';
import { CONSUMERS_FOLDER } from '#log/topic/topic-files.ts';

const SMALL_BYTES_MAX = 16 * 1024 * 1024;

export interface LogFile {
  /** In the log's folder: `control/00000000000000000000.log`. */
  readonly path: string;
  /** From the file's beginning. */
  readonly bytes: number;
  /** Of a sealed segment: another one has another. */
  readonly mark?: string;
  /** ENOENT when retention has removed it meanwhile. */
  open(): Promise<Pick<DiskFile, 'read' | 'close'>>;
}

export interface TopicCopy {
  readonly name: string;
  /** Every record below is in the files, or was lost before. */
  readonly nextOffset: number;
  readonly files: readonly LogFile[];
}

export interface TopicCopyWorld {
  readonly disk: Disk;
  /** The log's. */
  readonly folder: string;
  readonly log: Pick<Log, 'stats'>;
}

/**
 * Records from `endsAt` on are left out as far as batches go: one that begins below is there whole.
 * @throws LogError LOG_TOPIC_UNKNOWN; the disk's errors
 */
export async function copyTopic(
  world: TopicCopyWorld,
  topic: string,
  endsAt = Number.POSITIVE_INFINITY,
): Promise<TopicCopy> {
  const { disk, log } = world;
  const folder = `${world.folder}/${topic}`;
  // Before the end is asked for: no position is beyond it.
  const small = await smallFiles(disk, folder, topic);
  const { durableOffset } = await log.stats(topic);
  const end = Math.min(durableOffset, endsAt);
  const segments = await listSegments(disk, folder);
  const files: LogFile[] = [...small];
  let nextOffset = end;
  for (const [at, segment] of segments.entries()) {
    const next = segments[at + 1];
    if (next !== undefined && next.firstOffset <= end) {
      files.push(await sealedFile(disk, topic, segment));
      continue;
    }
    if (segment.firstOffset > end) break;
    const cut = await cutAt(disk, segment, end);
    nextOffset = Math.max(nextOffset, cut.nextOffset);
    files.push({ ...fileOf(disk, topic, segment), bytes: cut.bytes });
    break;
  }
  return { name: topic, nextOffset, files };
}

async function sealedFile(disk: Disk, topic: string, segment: Segment): Promise<LogFile> {
  const file = fileOf(disk, topic, segment);
  const found = await disk.stat(segment.path);
  if (found === undefined) return file;
  // Asked again, so that length and mark are those of one file.
  return { ...file, bytes: found.sizeBytes, mark: `${found.modifiedMs} ${found.sizeBytes}` };
}

function fileOf(disk: Disk, topic: string, segment: Segment): LogFile {
  const { path, firstOffset, endPosition } = segment;
  return {
    path: `${topic}/${segmentName(firstOffset)}`,
    bytes: endPosition,
    open: () => disk.open(path, { write: false }),
  };
}

/** Where the last batch ends that begins below `end`. */
async function cutAt(
  disk: Disk,
  segment: Segment,
  end: number,
): Promise<{ readonly bytes: number; readonly nextOffset: number }> {
  const file = await disk.open(segment.path, { write: false });
  try {
    const scanner = new SegmentScanner({
      ...{ file, position: SEGMENT_HEADER_BYTES, end: segment.endPosition },
      offset: segment.firstOffset,
    });
    let bytes = SEGMENT_HEADER_BYTES;
    let nextOffset = segment.firstOffset;
    for (let item = await scanner.next(); item !== undefined; item = await scanner.next()) {
      if (item.kind === 'bad') continue;
      const { firstOffset, span, length } = item.header;
      if (firstOffset >= end) break;
      bytes = aligned(item.position + length);
      nextOffset = firstOffset + span;
    }
    return { bytes: Math.min(bytes, await file.sizeBytes()), nextOffset };
  } finally {
    await file.close();
  }
}

/** Its description, who appended last, and the consumers' positions. */
async function smallFiles(disk: Disk, folder: string, topic: string): Promise<LogFile[]> {
  const names = [TOPIC_JSON, PRODUCERS_NAME];
  const consumers = `${folder}/${CONSUMERS_FOLDER}`;
  if ((await disk.stat(consumers)) !== undefined) {
    for (const name of await disk.list(consumers)) {
      if (!name.endsWith('.tmp')) names.push(`${CONSUMERS_FOLDER}/${name}`);
    }
  }
  const files: LogFile[] = [];
  for (const name of names) {
    const bytes = await readWhole(disk, `${folder}/${name}`, SMALL_BYTES_MAX);
    if (bytes === undefined) continue;
    files.push({
      path: `${topic}/${name}`,
      bytes: bytes.byteLength,
      open: async () => ({
        read: async (into, position) => {
          const some = bytes.subarray(position, position + into.byteLength);
          into.set(some);
          return some.byteLength;
        },
        close: async () => {},
      }),
    });
  }
  return files;
}
