// Every single operation on the disk, in a log's life from its making to its second opening, goes wrong
// once in every way (sim/log-fault-walk.ts); in some ways one in three of them, unless
// SWARMKEEP_WHOLE_WALK is set. One of them again, alone:
//   SWARMKEEP_LOG_FAULT='EIO 17' node -C swarmkeep-src --test src/log/crashes/fault-walk.crash.test.ts

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { FAULTS, type Fault } from '#sim/fault-disk.ts';
import type { Walk, Walked } from '#sim/log-fault-walk-thread.ts';

const REPLAY = 'node -C swarmkeep-src --test src/log/crashes/fault-walk.crash.test.ts';
const only = /^(.+) (\d+)$/.exec(process.env['SWARMKEEP_LOG_FAULT'] ?? '');
/** The script has more operations than that; writes alone are fewer. */
const POINTS_MIN = { 'short write': 100 } as const;
/** `npm run soak` walks all of them. */
const IS_WHOLE = process.env['SWARMKEEP_WHOLE_WALK'] !== undefined;
/** These differ little from their neighbours: one operation in three is enough for each run. */
const THINNED: ReadonlySet<Fault> = new Set(['ENOSPC', 'crash before', 'crash after']);

async function walk(data: Walk): Promise<Walked> {
  const url = new URL('../../../sim/log-fault-walk-thread.ts', import.meta.url);
  const [walked] = await once(new Worker(url, { workerData: data }), 'message');
  return walked as Walked;
}

for (const fault of FAULTS) {
  const isLeftOut = only !== null && only[1] !== fault;
  it(`any one operation may go wrong, and the log keeps its promises: ${fault}`, {
    skip: isLeftOut,
  }, async (t) => {
    const { points, broken } = await walk({
      fault,
      ...(only === null ? undefined : { nth: Number(only[2]) }),
      ...(!IS_WHOLE && THINNED.has(fault) ? { every: 3 } : undefined),
    });
    const at = `operation ${broken?.nth}, ${broken?.hit}: ${broken?.violation}`;
    const replay = `SWARMKEEP_LOG_FAULT='${fault} ${broken?.nth}' ${REPLAY}`;
    assert.equal(broken, undefined, `${at}\nreplay: ${replay}`);
    const least =
      only === null ? ((POINTS_MIN as Partial<Record<Fault, number>>)[fault] ?? 300) : 0;
    assert.ok(points >= least, `${points} operations were walked`);
    t.diagnostic(`${points} operations`);
  });
}

const PLANTED: readonly (Walk & { readonly name: string })[] = [
  { name: 'an answer before the sync', fault: 'crash before', planted: 'answer-before-sync' },
  { name: 'a sync that failed is tried again', fault: 'EIO', planted: 'failed-sync-retried' },
  { name: 'a folder that is not synced', fault: 'crash before', planted: 'folder-not-synced' },
];
for (const { name, ...data } of PLANTED) {
  it(`the walk over faults finds a planted bug: ${name}`, { skip: only !== null }, async (t) => {
    const { broken } = await walk(data);
    assert.notEqual(broken, undefined, 'no operation showed it');
    t.diagnostic(`operation ${broken?.nth}, ${broken?.hit}: ${broken?.violation?.split('\n')[0]}`);
  });
}
