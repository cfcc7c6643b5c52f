// Keepers joined to the other rooms: the desk at which they ask this server, and the copies that it holds for
// others itself (`archive.keepFor`).

import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Transaction } from 'kysely';
import { grantBonus } from '#accounting/bonus/bonus.ts';
import type { BonusTables } from '#accounting/bonus/bonus-tables.ts';
import { HeldCopies } from '#archive/keepers/held-copies.ts';
import { HttpKeeperLink } from '#archive/keepers/http-link.ts';
import { runKeeper } from '#archive/keepers/keeper.ts';
import { KeeperDesk, type KeeperWorld } from '#archive/keepers/keeper-desk.ts';
import { answerKeeper } from '#archive/keepers/keeper-door.ts';
import { keepersJob } from '#archive/keepers/placement.ts';
import type { Clock } from '#base/clock.ts';
import type { Job } from '#base/job.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { Config } from '#config/schema.ts';
import type { Registry } from '#metrics/registry.ts';
import { setSecurityHeaders } from '#site/security-headers.ts';
import type { Site } from '#site/site.ts';
import type { Sql } from '#sql/sql.ts';
import type { RootSource } from '#store/gc/roots.ts';
import { CliError } from './errors.ts';
import { readSecret } from './remote.ts';
import type { StoreRoom } from './store-room.ts';

const FOLDER = 'keepers';

export interface Keepers {
  readonly desk: KeeperDesk;
  readonly job: Job;
  /** The site with the keepers' address beside it. */
  beside(site: Site): Site;
  /** Holds copies for others until the signal aborts. @throws CliError CLI_USAGE for a line that is none */
  run(signal: AbortSignal): Promise<void>;
}

export function openKeepers(parts: {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly config: Config;
  readonly metrics: Registry;
  readonly store: StoreRoom;
}): Keepers {
  const { sql, clock, random, config, store } = parts;
  const logger = parts.logger.for('keepers');
  const world: KeeperWorld = {
    ...{ sql, clock, random, logger, config: config.archive },
    store: async () => (await store.stack()).store,
    credit: {
      async grant(transaction, entry) {
        const bonus = transaction as unknown as Transaction<BonusTables>;
        await grantBonus(bonus, [{ ...entry, kind: 'keeping' }]);
      },
    },
  };
  const desk = new KeeperDesk(world);
  return {
    desk,
    job: keepersJob({ ...world, desk, metrics: parts.metrics }),
    beside: (site) => ({
      async fetch(request, env) {
        const answer = await answerKeeper({ sql, logger, desk }, request);
        if (answer === undefined) return await site.fetch(request, env);
        setSecurityHeaders(answer, false);
        return answer;
      },
    }),
    async run(signal) {
      await Promise.all(
        config.archive.keepFor.map((line) => hold(world, { line, store, config, signal })),
      );
    },
  };
}

async function hold(
  world: KeeperWorld,
  of: {
    readonly line: string;
    readonly store: StoreRoom;
    readonly config: Config;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { line, store, config, signal } = of;
  const { url, tokenFile } = serverOf(line);
  const token = readSecret(tokenFile).trim();
  const name = createHash('sha256').update(url).digest('hex').slice(0, 16);
  const folder = join(foldersOf(store), name);
  const { clock, logger } = world;
  await runKeeper(
    {
      ...{ clock, logger, link: new HttpKeeperLink({ url, token, fetch }), removesBlobs: false },
      copies: new HeldCopies({ disk: store.world.disk, folder }),
      bytesMax: config.archive.keepForBytesMax,
      store: world.store,
    },
    signal,
  );
}

/** `https://swarm.example.org /etc/swarmkeep/token`. */
function serverOf(line: string): { readonly url: string; readonly tokenFile: string } {
  const [url = '', tokenFile = '', ...more] = line.trim().split(/ +/);
  if (/^https?:\/\//.test(url) && URL.canParse(url) && tokenFile !== '' && more.length === 0) {
    return { url: url.replace(/\/+$/, ''), tokenFile };
  }
  const message = `archive.keepFor has "${line}", expected an address, https://…, and the file of a token`;
  throw new CliError('CLI_USAGE', message);
}

function foldersOf(store: StoreRoom): string {
  return join(dirname(store.world.folder), FOLDER);
}

/** What is held for others, also for those that are not in the settings any more. */
export function copiesForOthers(store: StoreRoom): RootSource {
  return {
    name: 'copies held for others',
    async *refs(signal) {
      const folder = foldersOf(store);
      for (const name of existsSync(folder) ? readdirSync(folder) : []) {
        const { disk } = store.world;
        yield* new HeldCopies({ disk, folder: join(folder, name) }).refs(signal);
      }
    },
  };
}
