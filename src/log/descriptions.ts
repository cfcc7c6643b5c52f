// The small JSON files that say what a folder is: `log.json` for the log, `topic.json` for a topic,
// and the rule for names. They are written to a temporary name, synced and renamed.
//
//   log.json    {"version":1,"id":"<32 hex digits>","epoch":1}
//   topic.json  {"version":1,"consistency":"durable","bytesMax":1000000,"whenFull":"refuse",
//                "ageMsMax":86400000,"recordsMax":1000,"whenUnread":"keep","compact":true,"codec":"zstd"}
//
// Everything after `consistency` only where the topic was made with it (TopicOptions).

import { z } from 'zod';
import type { Disk } from '#base/disk.ts';
import { readWhole } from '#log/segment/checkpoint.ts';
import { TOPIC_BYTES_MIN } from '#log/topic/size-limit.ts';
import { type TopicRules, topicRulesOf } from '#log/topic/topic-rules.ts';
import { LogError } from './errors.ts';
import type { Consistency, TopicOptions } from './log.ts';

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const JSON_BYTES_MAX = 4 * 1024 * 1024;
const VERSION = 1;
export const LOG_JSON = 'log.json';
export const TOPIC_JSON = 'topic.json';

const logDescription = z.object({
  version: z.int().min(1),
  id: z.string().regex(/^[0-9a-f]{32}$/),
  epoch: z.int().min(1).max(0xffff_ffff),
});

const topicDescription = z.object({
  version: z.int().min(1),
  consistency: z.enum(['memory', 'interval', 'durable']),
  bytesMax: z.int().min(TOPIC_BYTES_MIN).optional(),
  whenFull: z.enum(['refuse', 'removeOldest']).optional(),
  ageMsMax: z.int().min(1).optional(),
  recordsMax: z.int().min(1).optional(),
  whenUnread: z.enum(['keep', 'remove']).optional(),
  compact: z.boolean().optional(),
  codec: z.enum(['none', 'zstd', 'gzip']).optional(),
});

export type LogDescription = Omit<z.output<typeof logDescription>, 'version'>;

export interface TopicDescription {
  readonly consistency: Consistency;
  readonly rules: TopicRules;
}

/** Also keeps names from being paths. @throws LogError LOG_TOPIC_NAME_INVALID */
export function checkName(kind: 'topic' | 'consumer', name: string): void {
  if (NAME.test(name) && name !== LOG_JSON) return;
  throw new LogError(
    'LOG_TOPIC_NAME_INVALID',
    `The ${kind} name ${JSON.stringify(name.slice(0, 80))} is not allowed: expected 1 to 64 of a-z, 0-9, ".", "_", "-", beginning with a letter or digit`,
  );
}

export function isTopicName(name: string): boolean {
  return NAME.test(name) && name !== LOG_JSON;
}

/** @throws LogError LOG_TOPIC_OPTIONS_INVALID */
export function describeTopic(topic: string, options: TopicOptions): TopicDescription {
  const rules = topicRulesOf(topic, options);
  return { consistency: options.consistency ?? 'interval', rules };
}

/** Undefined when there is none. @throws LogError LOG_FOLDER_INVALID, LOG_VERSION_UNSUPPORTED */
export async function readLogDescription(
  disk: Disk,
  folder: string,
): Promise<LogDescription | undefined> {
  const found = await readJson(disk, `${folder}/${LOG_JSON}`, logDescription);
  return found === undefined ? undefined : { id: found.id, epoch: found.epoch };
}

export function writeLogDescription(
  disk: Disk,
  folder: string,
  description: LogDescription,
): Promise<void> {
  return writeJson(disk, { folder, name: LOG_JSON }, { version: VERSION, ...description });
}

/** Undefined when there is none. @throws LogError LOG_FOLDER_INVALID, LOG_VERSION_UNSUPPORTED */
export async function readTopicDescription(
  disk: Disk,
  folder: string,
): Promise<TopicDescription | undefined> {
  const found = await readJson(disk, `${folder}/${TOPIC_JSON}`, topicDescription);
  if (found === undefined) return undefined;
  const { version: _, consistency, bytesMax, whenFull, ...rest } = found;
  const size = bytesMax === undefined ? undefined : { bytesMax, whenFull: whenFull ?? 'refuse' };
  const options = { consistency, ...size, ...rest } as TopicOptions;
  return describeTopic(folder.slice(folder.lastIndexOf('/') + 1), options);
}

export function writeTopicDescription(
  disk: Disk,
  folder: string,
  description: TopicDescription,
): Promise<void> {
  const { consistency, rules } = description;
  const { limit, ...others } = rules;
  const value = { version: VERSION, consistency, ...limit, ...others };
  return writeJson(disk, { folder, name: TOPIC_JSON }, value);
}

/** Undefined when there is no such file. @throws as readLogDescription */
export async function readJson<T extends { version: number }>(
  disk: Disk,
  path: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const bytes = await readWhole(disk, path, JSON_BYTES_MAX);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new LogError('LOG_FOLDER_INVALID', `Cannot read "${path}": it is not JSON`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new LogError(
      'LOG_FOLDER_INVALID',
      `Cannot read "${path}": ${z.prettifyError(parsed.error)}`,
    );
  }
  if (parsed.data.version > VERSION) {
    throw new LogError(
      'LOG_VERSION_UNSUPPORTED',
      `Cannot read "${path}": version ${parsed.data.version}, expected at most ${VERSION}`,
    );
  }
  return parsed.data;
}

/** Replaces the file as a whole; on disk when it resolves. @throws the disk's error */
export async function writeJson(
  disk: Disk,
  place: { readonly folder: string; readonly name: string },
  value: unknown,
): Promise<void> {
  const path = `${place.folder}/${place.name}`;
  await writeNew(disk, `${path}.tmp`, new TextEncoder().encode(`${JSON.stringify(value)}\n`));
  await disk.rename(`${path}.tmp`, path);
  await disk.syncFolder(place.folder);
}

/** Writes and syncs a file of this name, in place of one that may be there. */
export async function writeNew(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  if ((await disk.stat(path)) !== undefined) await disk.remove(path);
  const file = await disk.create(path);
  try {
    await file.write(bytes, 0);
    await file.datasync();
  } finally {
    await file.close();
  }
}
