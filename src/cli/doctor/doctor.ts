// Every check of the doctor, one after the other. One that cannot be made is told like a finding, and the
// others go on.

import { codeOf, messageOf } from '#base/errors.ts';
import type { Rooms } from '#cli/rooms.ts';
import { backups, database, log } from './data-checks.ts';
import type { Check, Finding } from './finding.ts';
import { clock, disk, files, openFiles, sockets } from './machine-checks.ts';
import { addresses, certificates, queues } from './server-checks.ts';
import { store } from './store-checks.ts';
import { syncs } from './sync-checks.ts';

const CHECKS: readonly Check[] = [
  addresses,
  certificates,
  queues,
  clock,
  disk,
  openFiles,
  sockets,
  files,
  database,
  log,
  store,
  syncs,
  backups,
];
/** A service that does not answer must not keep the others from being looked at. */
const CHECK_MS_MAX = 20_000;

export interface Examined {
  readonly findings: readonly Finding[];
  /** Names of what was looked at. */
  readonly checks: readonly string[];
}

/** @throws the signal's reason */
export async function examine(
  rooms: Rooms,
  options: {
    readonly signal: AbortSignal;
    readonly onCheck: (done: number, total: number) => void;
  },
): Promise<Examined> {
  const findings: Finding[] = [];
  for (const [at, check] of CHECKS.entries()) {
    options.signal.throwIfAborted();
    for (const found of await tried(check, rooms, options.signal)) {
      findings.push({ check: check.name, ...found });
    }
    options.onCheck(at + 1, CHECKS.length);
  }
  return { findings, checks: CHECKS.map(({ name }) => name) };
}

async function tried(check: Check, rooms: Rooms, signal: AbortSignal) {
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => undefined);
  const timer = rooms.clock.after(CHECK_MS_MAX, () => {
    late.reject(new Error(`no answer within ${CHECK_MS_MAX / 1000} seconds`));
  });
  try {
    return await Promise.race([check.run(rooms, signal), late.promise]);
  } catch (error) {
    signal.throwIfAborted();
    const code = codeOf(error);
    return [
      {
        what: `The check "${check.name}" cannot be made: ${messageOf(error)}.`,
        advice:
          code === undefined
            ? 'See what the message names, then run this again.'
            : `docs/generated/errors.md says what ${code} means.`,
      },
    ];
  } finally {
    timer.cancel();
  }
}
