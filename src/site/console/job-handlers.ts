// The console's pages of jobs: what runs by itself, when, how it went, and a hand on it.

import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import type { JobView } from '#site/world.ts';
import { jobMain, jobsMain } from './job-views.ts';

const RUNS_SHOWN = 50;

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
  const { jobs, logger } = visit.parts;
  const { name } = job;
  const deed = visit.form.text('deed');
  const answer = (text: string): Response => {
    logger.info('A job was steered from the console', {
      job: name,
      deed,
      by: visit.signedIn().memberId,
    });
    const back = visit.form.text('back') === 'list' ? href('consoleJobs') : undefined;
    return visit.redirect(back ?? hrefTo('consoleJob', { name }), { kind: 'good', text });
  };
  if (deed === 'run') {
    // A paused job would only wait; resuming it is a decision of its own.
    if (job.isPaused) {
      const text = `${name} is paused. Resume it first.`;
      return visit.redirect(hrefTo('consoleJob', { name }), { kind: 'bad', text });
    }
    await jobs.request(name);
    return answer(`${name} runs as soon as it may.`);
  }
  if (deed === 'pause') {
    await jobs.pause(name);
    return answer(`${name} is paused until you resume it.`);
  }
  if (deed === 'resume') {
    await jobs.resume(name);
    return answer(`${name} runs again when it is due.`);
  }
  return await visit.notFound('A job can be run, paused and resumed.');
}

async function findJob(visit: Visit): Promise<JobView | undefined> {
  const name = visit.param('name');
  return (await visit.parts.jobs.views()).find((job) => job.name === name);
}
