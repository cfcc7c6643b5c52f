// `log verify`: reads every segment and reports, changing nothing. It may run while the log is in
// use. Anything invalid below the durable mark is damage.

import type { Disk } from '#base/disk.ts';
import { checkName, isTopicName, readLogDescription } from '#log/descriptions.ts';
import { LogError } from '#log/errors.ts';
import { type Inspection, inspectTopic, type Problem, placeOf } from './inspect-topic.ts';

export interface VerifyOptions {
  readonly disk: Disk;
  /** The log's, with log.json in it. */
  readonly folder: string;
  /** Only this topic; all of them when it is left out. */
  readonly topic?: string;
  readonly signal?: AbortSignal;
  /** After each segment: the topic's name and how many bytes were read. */
  readonly onProgress?: (topic: string, bytes: number) => void;
}

export interface Finding {
  readonly topic: string;
  /** `damage` needs `log repair`; a `note` needs nothing. */
  readonly severity: 'damage' | 'note';
  /** Where: `00000000000000000000.log, byte 512`. */
  readonly place: string;
  /** Offsets that cannot be read: from `firstOffset` up to, not including, `nextOffset`. */
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly message: string;
}

export interface VerifiedTopic extends Omit<Inspection, 'problems'> {
  readonly name: string;
}

export interface VerifyReport {
  readonly topics: readonly VerifiedTopic[];
  readonly findings: readonly Finding[];
  readonly isDamaged: boolean;
}

/**
 * @throws LogError LOG_TOPIC_UNKNOWN, LOG_TOPIC_NAME_INVALID, LOG_FOLDER_INVALID (also when there is
 *   no log), LOG_VERSION_UNSUPPORTED; the disk's errors; the signal's reason
 */
export async function verifyLog(options: VerifyOptions): Promise<VerifyReport> {
  const { disk, folder, signal, onProgress } = options;
  const { logId, epoch, names } = await findTopics(disk, folder, options.topic);
  const topics: VerifiedTopic[] = [];
  const findings: Finding[] = [];
  for (const name of names) {
    const { problems, ...counts } = await inspectTopic({
      disk,
      folder: `${folder}/${name}`,
      logId,
      epoch,
      onProgress: (bytes) => onProgress?.(name, bytes),
      ...(signal === undefined ? undefined : { signal }),
    });
    topics.push({ name, ...counts });
    for (const problem of problems) findings.push(toFinding(name, problem));
  }
  const isDamaged = findings.some(({ severity }) => severity === 'damage');
  return { topics, findings, isDamaged };
}

/** The topics of a log folder by name, sorted. @throws as verifyLog */
export async function findTopics(
  disk: Disk,
  folder: string,
  only?: string,
): Promise<{ readonly logId: string; readonly epoch: number; readonly names: string[] }> {
  if (only !== undefined) checkName('topic', only);
  const description = await readLogDescription(disk, folder);
  if (description === undefined) {
    throw new LogError('LOG_FOLDER_INVALID', `There is no log in "${folder}": it has no log.json`);
  }
  const names: string[] = [];
  for (const name of await disk.list(folder)) {
    if (!isTopicName(name) || (only !== undefined && name !== only)) continue;
    if ((await disk.stat(`${folder}/${name}`))?.isFolder === true) names.push(name);
  }
  if (only !== undefined && names.length === 0) {
    throw new LogError('LOG_TOPIC_UNKNOWN', `There is no topic "${only}"`);
  }
  return { logId: description.id, epoch: description.epoch, names };
}

export function isDamage(problem: Problem): boolean {
  return problem.kind !== 'torn' && problem.kind !== 'gap' && problem.kind !== 'index';
}

function toFinding(topic: string, problem: Problem): Finding {
  const { first, next, detail } = problem;
  const offsets = next > first ? `: offsets ${first} to ${next - 1} cannot be read` : '';
  return {
    topic,
    severity: isDamage(problem) ? 'damage' : 'note',
    place: placeOf(problem),
    firstOffset: first,
    nextOffset: next,
    message: `${detail}${offsets}`,
  };
}
