// `swarmkeep jobs …`: what runs by itself, and running it by hand. With a server the server runs it;
// offline the command does, under the folder's lock.

import { sleep } from '#base/clock.ts';
import { type Item, type Output, type RoomsCommand, textOf } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import type { Rooms } from '#cli/rooms.ts';
import type { JobView } from '#jobs/scheduler.ts';

const LOOK_MS = 250;

export const jobsList: RoomsCommand = {
  name: 'jobs list',
  summary: 'Every job: when it runs next, how its last run went, how far it is.',
  example: 'swarmkeep jobs list --json',
  needsData: true,
  async run(rooms, _input, output) {
    await rooms.jobs.prepare();
    for (const view of await rooms.jobs.views()) output.item(itemOf(view));
  },
  text: jobText,
};

export const jobsRun: RoomsCommand = {
  name: 'jobs run',
  summary:
    'Run a job now and wait for its end. Exits 1 when it fails. Ctrl-C ends it; with a server only the waiting, and `jobs pause` ends the run.',
  example: 'swarmkeep jobs run expire',
  needsData: true,
  declare: (commander) => commander.argument('<name>', 'The job.'),
  prepare: (words) => ({ name: words.args[0] ?? '' }),
  async run(rooms, input, output) {
    const name = textOf(input, 'name');
    const view = await findJob(rooms, name);
    if (view.isPaused) throw new CliError('CLI_REFUSED', `The job "${name}" is paused`);
    const beforeMs = view.lastRun?.startedMs ?? 0;
    const isHere = (await rooms.status()) === undefined;
    if (isHere) await showWhile(rooms.jobs.runHere(name, output.signal), { rooms, name, output });
    else await rooms.jobs.request(name);
    for (;;) {
      const now = await findJob(rooms, name);
      const { lastRun } = now;
      showProgress(now, output);
      if (lastRun !== undefined && lastRun.startedMs > beforeMs && lastRun.result !== 'running') {
        output.item(itemOf(now));
        if (lastRun.result === 'done') return;
        throw new CliError('CLI_REFUSED', `The job "${name}" ended: ${lastRun.result}`);
      }
      await sleep(rooms.clock, LOOK_MS, output.signal);
    }
  },
  text: jobText,
};

export const jobsPause: RoomsCommand = {
  name: 'jobs pause',
  summary: 'Stop a job, now and until it is resumed.',
  example: 'swarmkeep jobs pause swarm-readings',
  needsData: true,
  declare: (commander) => commander.argument('<name>', 'The job.'),
  prepare: (words) => ({ name: words.args[0] ?? '' }),
  async run(rooms, input, output) {
    const { name } = await findJob(rooms, textOf(input, 'name'));
    await rooms.jobs.pause(name);
    output.item(itemOf(await findJob(rooms, name)));
  },
  text: jobText,
};

export const jobsResume: RoomsCommand = {
  name: 'jobs resume',
  summary: 'Let a paused job run again.',
  example: 'swarmkeep jobs resume swarm-readings',
  needsData: true,
  declare: (commander) => commander.argument('<name>', 'The job.'),
  prepare: (words) => ({ name: words.args[0] ?? '' }),
  async run(rooms, input, output) {
    const { name } = await findJob(rooms, textOf(input, 'name'));
    await rooms.jobs.resume(name);
    output.item(itemOf(await findJob(rooms, name)));
  },
  text: jobText,
};

/** Ends with `run`, as it does: a run that is interrupted ends by itself, and is written down. */
async function showWhile(
  run: Promise<void>,
  what: { readonly rooms: Rooms; readonly name: string; readonly output: Output },
): Promise<void> {
  const { rooms, name, output } = what;
  const over = new AbortController();
  const ended = run.finally(() => over.abort());
  // Its failure is met below.
  ended.catch(() => undefined);
  while (!over.signal.aborted) {
    showProgress(await findJob(rooms, name), output);
    await sleep(rooms.clock, LOOK_MS, over.signal).catch(() => undefined);
  }
  await ended;
}

function showProgress({ name, progress }: JobView, output: Output): void {
  if (progress === undefined) return;
  output.progress({ what: name, done: progress.done, total: progress.total ?? 0 });
}

async function findJob(rooms: Rooms, name: string): Promise<JobView> {
  await rooms.jobs.prepare();
  const views = await rooms.jobs.views();
  const view = views.find((one) => one.name === name);
  if (view !== undefined) return view;
  const names = views.map((one) => one.name).join(', ');
  throw new CliError('CLI_NOT_FOUND', `No job is called "${name}": there are ${names}`);
}

function itemOf(view: JobView): Item {
  // Absent is absent: JSON leaves out what is undefined.
  return JSON.parse(JSON.stringify(view)) as Item;
}

function jobText(item: Item): string {
  const view = item as unknown as JobView;
  const next = new Date(view.nextRunMs).toISOString();
  const due = view.isPaused ? 'paused' : view.isRequested ? 'asked for' : `next ${next}`;
  return [`${view.name}: ${due}; ${lastRunText(view)}`, `  ${view.summary}`].join('\n');
}

function lastRunText({ lastRun, progress, failures }: JobView): string {
  if (lastRun === undefined) return 'it has not run yet';
  if (lastRun.result === 'running') {
    if (progress === undefined) return 'it runs';
    const of = progress.total === undefined ? '' : ` of ${progress.total}`;
    return `it runs: ${progress.done}${of} ${progress.unit}`;
  }
  const seconds = ((lastRun.endedMs ?? lastRun.startedMs) - lastRun.startedMs) / 1000;
  const again = failures > 1 ? `, ${failures} times in a row` : '';
  return `last ${lastRun.result} in ${seconds.toFixed(1)} s${again}: ${lastRun.summary}`;
}
