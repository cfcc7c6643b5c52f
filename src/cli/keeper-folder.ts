// A member's keeper: copies in a folder of their own, a file for each blob.

import { join } from 'node:path';
import { HeldCopies } from '#archive/keepers/held-copies.ts';
import { HttpKeeperLink } from '#archive/keepers/http-link.ts';
import { type KeeperRound, keeperRound, runKeeper } from '#archive/keepers/keeper.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { DirectoryStore } from '#store/directory.ts';
import type { Output } from './command.ts';
import { CliError } from './errors.ts';
import { pinoLogger } from './pino-logger.ts';

/** Rounds of `--once` at most: each may only begin what the next one ends. */
const ROUNDS_MAX = 1000;

/** @throws CliError CLI_DATA_LOCKED; ArchiveError when the server does not take it */
export async function runKeeperIn(
  keeper: {
    readonly server: string;
    readonly token: string;
    readonly folder: string;
    readonly bytesMax: number;
    readonly isOnce: boolean;
  },
  output: Output,
): Promise<void> {
  const { server, token, folder, bytesMax, isOnce } = keeper;
  const disk = new SystemDisk();
  const clock = new SystemClock();
  await disk.makeFolder(folder);
  const lock = await disk.lock(join(folder, 'lock'));
  if (lock === undefined) {
    throw new CliError('CLI_DATA_LOCKED', `Another keeper works in "${folder}"`);
  }
  const logger = pinoLogger('info');
  const store = await DirectoryStore.open({ disk, folder: join(folder, 'blobs') });
  const world = {
    ...{ clock, logger, bytesMax, removesBlobs: true, store: async () => store },
    link: new HttpKeeperLink({ url: server, token, fetch }),
    copies: new HeldCopies({ disk, folder: join(folder, 'copies') }),
  };
  try {
    if (!isOnce) await runKeeper(world, output.signal);
    else output.item({ ...(await allRounds(world, output.signal)) });
  } finally {
    await store.close();
    lock.release();
  }
}

async function allRounds(
  world: Parameters<typeof keeperRound>[0],
  signal: AbortSignal,
): Promise<KeeperRound> {
  const sum: KeeperRound = { fetched: 0, proven: 0, given: 0, dropped: 0, refused: 0 };
  for (let rounds = 0; rounds < ROUNDS_MAX; rounds++) {
    const round = await keeperRound(world, 0, signal);
    for (const key of Object.keys(sum) as (keyof KeeperRound)[]) sum[key] += round[key];
    if (round.fetched + round.proven + round.given + round.dropped === 0) break;
  }
  return sum;
}
