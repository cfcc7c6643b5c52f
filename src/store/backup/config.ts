// Settings of the backups that are made by themselves, by consequence.

import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { count, ms } from '#base/field.ts';
import { parseStack } from '#store/stack/stack-text.ts';

export const backupConfig = z.strictObject({
  place: z
    .string()
    .max(4000)
    .superRefine((text, check) => {
      if (text === '' || text === 'current' || isAbsolute(text)) return;
      const parsed = parseStack(text);
      if ('node' in parsed) return;
      const message = `must be the whole path of a folder, a line of stores as in store.stack, or "current": ${parsed.why}`;
      check.addIssue({ code: 'custom', message });
    })
    .default('')
    .describe(
      'Where the server backs itself up to: the whole path of a folder that is there, a line of stores as in store.stack, or "current", the own store. Empty makes none by itself. A disk of its own, best of another machine, is what survives the loss of this one.',
    ),
  everyMs: ms({ min: 60_000, max: 365 * 86_400_000 })
    .default(86_400_000)
    .describe(
      'Milliseconds from one backup to the next. What happened since the last one is what a loss of the machine costs.',
    ),
  kept: count({ min: 1, max: 10_000 })
    .default(7)
    .describe(
      'Whole backups of this server that stay; older ones are forgotten when a new one is made. They share what is the same.',
    ),
});

export type BackupConfig = z.output<typeof backupConfig>;
