// `swarmkeep log verify` and `log repair`: the files of the log themselves, read without opening it.

import { join, resolve } from 'node:path';
import { SystemDisk } from '#base/disk.ts';
import type { Item, LocalCommand, Words } from '#cli/command.ts';
import { textOf } from '#cli/command.ts';
import { DataFolder } from '#cli/data-folder.ts';
import { CliError } from '#cli/errors.ts';

function topicOnly(words: Words): Item {
  return { topic: words.args[0] ?? '' };
}

/** The log's folder and, when one was named, the topic. */
function placeOf(data: string, input: Item): { readonly folder: string; readonly topic?: string } {
  const topic = textOf(input, 'topic');
  return { folder: join(resolve(data), 'log'), ...(topic === '' ? {} : { topic }) };
}

export const logVerify: LocalCommand = {
  name: 'log verify',
  summary:
    'Read every batch and check it; changes nothing, also beside a server. Exits 1 on damage.',
  example: 'swarmkeep log verify transfers --json',
  local: true,
  declare: (commander) => commander.argument('[topic]', 'Only this topic.'),
  prepare: topicOnly,
  async runLocal(options, input, output) {
    const { verifyLog } = await import('#log/repair/verify.ts');
    let bytesRead = 0;
    const report = await verifyLog({
      disk: new SystemDisk(),
      ...placeOf(options.data, input),
      signal: output.signal,
      onProgress: (topic, bytes) => {
        bytesRead += bytes;
        output.progress({ what: `bytes of ${topic}`, done: bytesRead, total: 0 });
      },
    });
    output.item(JSON.parse(JSON.stringify(report)) as Item);
    if (report.isDamaged) throw new CliError('CLI_FOUND_DAMAGE', 'The log is damaged');
  },
  text(item) {
    const topics = item['topics'] as Item[];
    const findings = item['findings'] as Item[];
    return [
      ...topics.map((topic) => `${topic['name']}: ${topic['records']} records are good`),
      ...findings.map(
        (one) => `${one['severity']}: ${one['topic']} ${one['place']}: ${one['message']}`,
      ),
    ].join('\n');
  },
};

function outcomeOf(repaired: Item): string {
  if (repaired['isMended'] === false)
    return 'there is no room to say what is missing; readers see a gap';
  const copy = repaired['copy'];
  if (typeof copy === 'string') return `mended; what stood there is kept in ${copy}`;
  const lost = Number(repaired['nextOffset']) - Number(repaired['firstOffset']);
  return lost > 0
    ? `${lost} records are gone, nothing was left to keep; readers see a gap`
    : 'mended';
}

export const logRepair: LocalCommand = {
  name: 'log repair',
  summary:
    'Set damage aside, so that the good batches around it are all that is left. Needs no server.',
  example: 'swarmkeep log repair transfers',
  local: true,
  declare: (commander) => commander.argument('[topic]', 'Only this topic.'),
  prepare: topicOnly,
  async runLocal(options, input, output) {
    const { pinoLogger } = await import('#cli/pino-logger.ts');
    const { repairLog } = await import('#log/repair/repair.ts');
    const folder = DataFolder.take(options.data);
    try {
      const repaired = await repairLog({
        disk: new SystemDisk(),
        logger: pinoLogger('warn').for('log'),
        ...placeOf(folder.path, input),
      });
      output.item({ repaired: JSON.parse(JSON.stringify(repaired)) as Item[] });
      if (repaired.some(({ isMended }) => !isMended)) {
        throw new CliError('CLI_FOUND_DAMAGE', 'Some of the damage cannot be mended');
      }
    } finally {
      folder.release();
    }
  },
  text(item) {
    const repaired = item['repaired'] as Item[];
    if (repaired.length === 0) return 'Nothing had to be mended.';
    return repaired.map((one) => `${one['topic']} ${one['place']}: ${outcomeOf(one)}`).join('\n');
  },
};
