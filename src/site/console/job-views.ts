// Jobs as the operator sees them: a list, and one with its past runs.

import { html } from 'hono/html';
import { type BadgeKind, badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { facts } from '#site/components/facts.ts';
import { meter, timeAgo, timeBoth, timeUntil } from '#site/components/figures.ts';
import { postForm } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { formatDuration } from '#site/format/time.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { JobRunView, JobView } from '#site/world.ts';
import { inConsole } from './console-views.ts';

interface Shown {
  readonly csrf: string;
  readonly nowMs: number;
}

export function jobsMain({
  csrf,
  nowMs,
  jobs,
}: Shown & { readonly jobs: readonly JobView[] }): Html {
  const list =
    jobs.length === 0
      ? panel({
          title: 'Jobs',
          body: emptyState({ title: 'Nothing runs by itself', text: 'This server has no jobs.' }),
        })
      : panel({
          title: 'Everything that runs by itself',
          flush: true,
          body: table({
            caption: 'Jobs',
            isWide: true,
            rows: jobs,
            columns: [
              { label: 'Job', kind: 'title', cell: jobTitle },
              { label: 'State', cell: (job) => stateBadge(job) },
              { label: 'Next', cell: (job) => nextCell(job, nowMs) },
              { label: 'Last run', cell: (job) => lastCell(job, nowMs) },
              { label: 'Steer', kind: 'actions', cell: (job) => deeds(job, csrf, 'list') },
            ],
          }),
        });
  const running = jobs.some(isRunning);
  const head = pageHead({
    title: 'Jobs',
    lead: leadOf(jobs),
    ...(running ? { actions: linkButton({ label: 'Look again', href: href('consoleJobs') }) } : {}),
  });
  return inConsole('jobs', html`${head}${list}`);
}

export function jobMain(
  view: Shown & { readonly job: JobView; readonly runs: readonly JobRunView[] },
): Html {
  const { job, runs, csrf, nowMs } = view;
  const now = panel({
    title: 'Now',
    body: html`${facts([
      { term: 'State', value: stateBadge(job) },
      { term: 'Next', value: nextCell(job, nowMs) },
      ...(job.progress === undefined ? [] : [{ term: 'Progress', value: progressOf(job) }]),
      ...(job.failures > 1 ? [{ term: 'Failed in a row', value: formatCount(job.failures) }] : []),
    ])}<div class="row">${deeds(job, csrf, 'job')}</div>`,
  });
  const past = panel({
    title: 'Last runs',
    aside: runs.length === 0 ? NOTHING : plural(runs.length, 'run'),
    flush: runs.length > 0,
    body:
      runs.length === 0
        ? html`<p class="muted">It has not run yet. “Run now” starts it.</p>`
        : table({
            caption: `Last runs of ${job.name}`,
            rows: runs,
            columns: [
              { label: 'Started', kind: 'title', cell: (run) => timeBoth(run.startedMs, nowMs) },
              { label: 'Result', cell: (run) => resultBadge(run) },
              { label: 'Took', kind: 'figure', cell: (run) => tookOf(run) },
              { label: 'What was done', cell: (run) => (run.summary === '' ? '–' : run.summary) },
            ],
          }),
  });
  const head = pageHead({
    title: job.name,
    lead: job.summary,
    crumbs: [{ label: 'Jobs', href: href('consoleJobs') }],
    ...(isRunning(job)
      ? {
          actions: linkButton({
            label: 'Look again',
            href: hrefTo('consoleJob', { name: job.name }),
          }),
        }
      : {}),
  });
  return inConsole('jobs', html`${head}<div class="stack">${now}${past}</div>`);
}

function leadOf(jobs: readonly JobView[]): string {
  const failing = jobs.filter((job) => job.failures > 0 && !job.isPaused);
  const paused = jobs.filter((job) => job.isPaused);
  if (failing.length > 0) return `${plural(failing.length, 'job')} failed at the last try.`;
  if (paused.length > 0)
    return `All is well; ${plural(paused.length, 'job is', 'jobs are')} paused.`;
  return 'All is well.';
}

function jobTitle(job: JobView): Html {
  return html`<a href="${hrefTo('consoleJob', { name: job.name })}">${job.name}</a><span class="under">${job.summary}</span>`;
}

function isRunning(job: JobView): boolean {
  return job.lastRun?.result === 'running';
}

function stateBadge(job: JobView): Html {
  if (isRunning(job)) return badge('accent', 'Running');
  if (job.isPaused) return badge('warn', 'Paused');
  if (job.isRequested) return badge('accent', 'Asked for');
  if (job.failures > 0) return badge('bad', 'Failed');
  return badge('plain', 'Waiting');
}

function nextCell(job: JobView, nowMs: number): Html {
  if (job.isPaused) return html`<span class="muted">when resumed</span>`;
  if (isRunning(job)) return progressOf(job);
  if (job.isRequested || job.nextRunMs <= nowMs) return html`now`;
  return timeUntil(job.nextRunMs, nowMs);
}

function progressOf({ progress }: JobView): Html {
  if (progress === undefined) return html`<span class="muted">it has just begun</span>`;
  const { done, total, unit } = progress;
  if (total === undefined || total === 0) return html`${formatCount(done)} ${unit}`;
  const part = meter({ part: done / total, label: 'Done' });
  return html`${part} <span class="small muted nowrap">${formatCount(done)} of ${formatCount(total)} ${unit}</span>`;
}

function lastCell({ lastRun }: JobView, nowMs: number): Html {
  if (lastRun === undefined) return html`<span class="muted">never</span>`;
  if (lastRun.result === 'running') return html`since ${timeAgo(lastRun.startedMs, nowMs)}`;
  const took = html`<div class="under nowrap small muted">took ${tookOf(lastRun)}</div>`;
  const ended = html`${resultBadge(lastRun)} ${timeAgo(lastRun.startedMs, nowMs)}`;
  return html`<div class="nowrap">${ended}</div>${took}`;
}

const RESULTS: Readonly<Record<JobRunView['result'], readonly [BadgeKind, string]>> = {
  done: ['good', 'Done'],
  failed: ['bad', 'Failed'],
  'timed-out': ['bad', 'Took too long'],
  cancelled: ['warn', 'Stopped'],
  running: ['accent', 'Running'],
  lost: ['warn', 'Cut off'],
};

function resultBadge(run: JobRunView): Html {
  return badge(...RESULTS[run.result]);
}

function tookOf({ startedMs, endedMs }: JobRunView): string {
  if (endedMs === undefined) return '–';
  const lengthMs = Math.max(0, endedMs - startedMs);
  return lengthMs < 1000 ? `${formatCount(lengthMs)} ms` : formatDuration(lengthMs);
}

function deeds(job: JobView, csrf: string, back: 'list' | 'job'): Html {
  const button = (deed: string, label: string): Html =>
    postForm({
      action: hrefTo('consoleJob', { name: job.name }),
      csrf,
      inline: true,
      body: html`<input type="hidden" name="back" value="${back}"><input type="hidden" name="deed" value="${deed}">${submitButton({ label, small: true, about: job.name })}`,
    });
  if (job.isPaused) return button('resume', 'Resume');
  const run = isRunning(job) || job.isRequested ? NOTHING : button('run', 'Run now');
  return html`<span class="row">${run}${button('pause', 'Pause')}</span>`;
}
