// The console's pages of jobs: what runs by itself, when, how it went, and a hand on it.

import { oneOf } from '#site/accounts/settings.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import type { JobView } from '#site/world.ts';
import { jobMain, jobsMain } from './job-views.ts';

const RUNS_SHOWN = 50;

export const JOB_DEEDS = ['run', 'pause', 'resume'] as const;
export type JobDeed = (typeof JOB_DEEDS)[number];

const DONE: Readonly<Record<JobDeed, string>> = {
  run: 'runs as soon as it may.',
  pause: 'is paused until you resume it.',
  resume: 'runs again when it is due.',
};

export async function showJobs(visit: Visit): Promise<Response> {
  const { parts, csrfToken: csrf, nowMs } = visit;
  const main = jobsMain({ csrf, nowMs, jobs: await parts.jobs.views() });
  return await visit.page({ title: 'Jobs', main, section: 'console' });
}

export async function showJob(visit: Visit): Promise<Response> {
  const job = await findJob(visit);
  if (job === undefined) return await visit.notFound('No job is called so.');
  const runs = await visit.parts.jobs.runs(job.name, RUNS_SHOWN);
  const main = jobMain({ csrf: visit.csrfToken, nowMs: visit.nowMs, job, runs });
  return await visit.page({ title: job.name, main, section: 'console' });
}

export async function postJob(visit: Visit): Promise<Response> {
  const job = await findJob(visit);
  if (job === undefined) return await visit.notFound('No job is called so.');
  const { name } = job;
  const deed = oneOf(JOB_DEEDS, visit.form.text('deed'));
  if (deed === undefined) return await visit.notFound('A job can be run, paused and resumed.');
  if (!(await steerJob(visit, job, deed))) {
    const text = `${name} is paused. Resume it first.`;
    return visit.redirect(hrefTo('consoleJob', { name }), { kind: 'bad', text });
  }
  const back = visit.form.text('back') === 'list' ? href('consoleJobs') : undefined;
  const text = `${name} ${DONE[deed]}`;
  return visit.redirect(back ?? hrefTo('consoleJob', { name }), { kind: 'good', text });
}

/** False, and nothing was done, when a paused job was to run: resuming it is a decision of its own. */
export async function steerJob(
  visit: Visit,
  { name, isPaused }: JobView,
  deed: JobDeed,
): Promise<boolean> {
  const { jobs, logger } = visit.parts;
  if (deed === 'run') {
    if (isPaused) return false;
    await jobs.request(name);
  } else if (deed === 'pause') {
    await jobs.pause(name);
  } else {
    await jobs.resume(name);
  }
  const by = visit.signedIn().memberId;
  logger.info('A job was steered from the console', { job: name, deed, by });
  return true;
}

async function findJob(visit: Visit): Promise<JobView | undefined> {
  const name = visit.param('name');
  return (await visit.parts.jobs.views()).find((job) => job.name === name);
}
