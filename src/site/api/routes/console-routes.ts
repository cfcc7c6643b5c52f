// The operator's side: status, settings, jobs, transfers, members, shares, signals.

import { z } from 'zod';
import { countSignals, dismissSignal, listSignals } from '#accounting/signals/signals.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { torrentNames } from '#site/accounts/history.ts';
import { countMembers, memberNames } from '#site/accounts/members.ts';
import {
  FORM_SETTINGS,
  SIGN_UP_MODES,
  settingsVersion,
  TRACKER_MODES,
} from '#site/accounts/settings.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { cutPage, edge, numberPageQuery, pageOf } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import { listTorrents } from '#site/catalogue/torrent-list.ts';
import { saveSettings } from '#site/console/console-handlers.ts';
import { JOB_DEEDS, steerJob } from '#site/console/job-handlers.ts';
import { Refusal } from '#site/refusal.ts';
import { signalSeen } from '#site/signals/signal-words.ts';
import { eventsOf } from '#site/transfers/transfer-events.ts';
import type { JobRunView, JobView } from '#site/world.ts';
import {
  byteCount,
  idParams,
  memberNameSchema,
  movedFields,
  movedOf,
  time,
  torrentName,
  torrentNameSchema,
  version,
} from './shapes.ts';

const RUNS_MAX = 50;
const TRANSFERS_MAX = 1000;

const statusSchema = z
  .strictObject({
    members: z.int(),
    torrents: z.int().describe('Counted up to 10,000.'),
    server: z
      .strictObject({
        startedMs: time,
        sockets: z.string(),
        ledgerLag: z.int().describe('Records that the ledger has not applied yet.'),
        controlLag: z.int().describe('Changes that the trackers have not applied yet.'),
        figures: list(
          z.strictObject({
            label: z.string(),
            value: z.union([z.string(), z.number()]),
            note: z.string().nullable(),
          }),
        ),
      })
      .nullable()
      .describe('Null while the server cannot say.'),
  })
  .meta({ id: 'Status' });

const statusRoute = apiRoute(
  {
    name: 'getStatus',
    method: 'GET',
    path: '/console/status',
    tag: 'console',
    summary: 'How the whole stands.',
    permission: 'administer',
    pages: ['GET console'],
    answer: { status: 200, json: statusSchema },
  },
  async ({ visit }) => {
    const { parts } = visit;
    const status = await parts.status();
    return {
      members: await countMembers(parts.sql),
      torrents: (await listTorrents(parts.sql, { words: '', tags: [], rowsMax: 1 })).total,
      server:
        status === undefined
          ? null
          : {
              ...{ startedMs: status.startedMs, sockets: status.sockets },
              ...{ ledgerLag: status.ledgerLag, controlLag: status.controlLag },
              figures: (status.figures ?? []).map(({ label, value, note }) => ({
                ...{ label, value, note: note ?? null },
              })),
            },
    };
  },
);

const settingsSchema = z
  .strictObject({
    siteName: z.string(),
    signUpMode: z.enum(SIGN_UP_MODES),
    trackerMode: z.enum([...TRACKER_MODES, '']).describe("Empty is the configuration's."),
    publicUrl: z.string().describe('Empty where the configuration or nobody says.'),
    trackerHttpUrl: z.string(),
    trackerUdpUrl: z.string(),
    trackerWsUrl: z.string().describe('Empty where it is the address for HTTP.'),
  })
  .meta({ id: 'Settings' });

const settingsReadSchema = settingsSchema.extend({ version }).meta({ id: 'SettingsRead' });

const settingsRoute = apiRoute(
  {
    name: 'getSettings',
    method: 'GET',
    path: '/console/settings',
    tag: 'console',
    summary: 'What is set on the site, over the configuration.',
    permission: 'administer',
    pages: ['GET consoleSettings'],
    answer: { status: 200, json: settingsReadSchema },
    version: (answer) => answer.version,
  },
  async ({ visit }) => {
    const { siteName, signUpMode, trackerMode, publicUrl } = visit.settings;
    const { trackerHttpUrl, trackerUdpUrl, trackerWsUrl } = visit.settings;
    const tracker = { trackerHttpUrl, trackerUdpUrl, trackerWsUrl };
    const version = settingsVersion(visit.settings, FORM_SETTINGS);
    return { siteName, signUpMode, trackerMode, publicUrl, ...tracker, version };
  },
);

const changeRoute = apiRoute(
  {
    name: 'changeSettings',
    method: 'PATCH',
    path: '/console/settings',
    tag: 'console',
    summary: 'Change settings, in force within a second; what is left out stays.',
    permission: 'administer',
    pages: ['POST consoleSettings'],
    body: { json: settingsSchema.partial() },
    matches: true,
    answer: { status: 204 },
  },
  async ({ visit, body }) => {
    const { siteName, signUpMode, trackerMode, publicUrl } = visit.settings;
    const { trackerHttpUrl, trackerUdpUrl, trackerWsUrl } = visit.settings;
    const values = {
      siteName: body.siteName ?? siteName,
      signUpMode: body.signUpMode ?? signUpMode,
      trackerMode: body.trackerMode ?? trackerMode,
      publicUrl: body.publicUrl ?? publicUrl,
      trackerHttpUrl: body.trackerHttpUrl ?? trackerHttpUrl,
      trackerUdpUrl: body.trackerUdpUrl ?? trackerUdpUrl,
      trackerWsUrl: body.trackerWsUrl ?? trackerWsUrl,
    };
    // What was left out stays as it was read a moment ago: it is not put back over what came since.
    const read = [settingsVersion(visit.settings, FORM_SETTINGS)];
    const errors = await saveSettings(visit, values, visit.shown.length > 0 ? visit.shown : read);
    if (errors instanceof Refusal) return errors;
    const wrong = Object.entries(errors).map(([field, detail]) => ({
      ...{ in: 'body' as const, field, detail },
    }));
    const [first] = wrong;
    return first === undefined ? undefined : new Problem('request-invalid', first.detail, wrong);
  },
);

const runSchema = z.strictObject({
  result: z.enum(['done', 'failed', 'timed-out', 'cancelled', 'running', 'lost']),
  summary: z.string(),
  holder: z.string().describe('The node that ran it.'),
  startedMs: time,
  endedMs: time.nullable(),
});

const jobSchema = z
  .strictObject({
    name: z.string(),
    summary: z.string(),
    isPaused: z.boolean(),
    isRequested: z.boolean(),
    nextRunMs: time,
    failures: z.int().describe('In a row.'),
    progress: z
      .strictObject({ done: z.number(), total: z.number().nullable(), unit: z.string() })
      .nullable(),
    lastRun: runSchema.nullable(),
  })
  .meta({ id: 'Job' });

function runOf({ result, summary, holder, startedMs, endedMs }: JobRunView) {
  return { result, summary, holder, startedMs, endedMs: endedMs ?? null };
}

function jobOf({ name, summary, isPaused, isRequested, ...job }: JobView) {
  const { nextRunMs, failures, progress, lastRun } = job;
  return {
    ...{ name, summary, isPaused, isRequested, nextRunMs, failures },
    progress:
      progress === undefined
        ? null
        : { done: progress.done, total: progress.total ?? null, unit: progress.unit },
    lastRun: lastRun === undefined ? null : runOf(lastRun),
  };
}

const jobsRoute = apiRoute(
  {
    name: 'listJobs',
    method: 'GET',
    path: '/console/jobs',
    tag: 'console',
    summary: 'What runs by itself, by name.',
    permission: 'administer',
    pages: ['GET consoleJobs'],
    answer: { status: 200, json: z.strictObject({ items: list(jobSchema) }) },
  },
  async ({ visit }) => ({ items: (await visit.parts.jobs.views()).map(jobOf) }),
);

const jobParams = z.strictObject({ name: z.string().regex(/^[a-z0-9-]{1,64}$/) });
const NO_JOB = 'No job is called so.';

const jobRoute = apiRoute(
  {
    name: 'getJob',
    method: 'GET',
    path: '/console/jobs/:name',
    tag: 'console',
    summary: `A job with its last ${RUNS_MAX} runs.`,
    permission: 'administer',
    pages: ['GET consoleJob'],
    params: jobParams,
    answer: { status: 200, json: z.strictObject({ job: jobSchema, runs: list(runSchema) }) },
  },
  async ({ visit, params }) => {
    const { jobs } = visit.parts;
    const job = (await jobs.views()).find((one) => one.name === params.name);
    if (job === undefined) return new Problem('not-found', NO_JOB);
    return { job: jobOf(job), runs: (await jobs.runs(job.name, RUNS_MAX)).map(runOf) };
  },
);

const steerRoute = apiRoute(
  {
    name: 'steerJob',
    method: 'POST',
    path: '/console/jobs/:name',
    tag: 'console',
    summary: 'Run a job as soon as it may, pause it, or resume it.',
    permission: 'administer',
    pages: ['POST consoleJob'],
    params: jobParams,
    body: { json: z.strictObject({ deed: z.enum(JOB_DEEDS) }) },
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const job = (await visit.parts.jobs.views()).find((one) => one.name === params.name);
    if (job === undefined) return new Problem('not-found', NO_JOB);
    const isDone = await steerJob(visit, job, body.deed);
    return isDone ? undefined : new Problem('conflict', `${job.name} is paused. Resume it first.`);
  },
);

const eventSchema = z
  .strictObject({
    offset: z.int(),
    timeMs: time,
    memberId: z.int().describe('0 when nobody was named.'),
    torrentId: z.int(),
    event: z.string(),
    door: z.enum(['udp', 'http', 'websocket']),
    client: z.string(),
    ...movedFields,
    leftBytes: byteCount.nullable(),
    address: z.string().nullable().describe('Only with `site.transferAddresses`.'),
    port: z.int().nullable(),
  })
  .meta({ id: 'TransferEvent' });

const transfersRoute = apiRoute(
  {
    name: 'listTransfers',
    method: 'GET',
    path: '/console/transfers',
    tag: 'console',
    summary: 'Announces from the log, oldest first: the last ones, or from an offset on.',
    permission: 'administer',
    pages: ['GET consoleTransfers', 'GET transferEvents'],
    query: z.strictObject({
      cursor: z
        .string()
        .regex(/^\d{1,15}$/)
        .optional()
        .describe('The offset to begin with.'),
      limit: z.coerce.number().int().min(1).max(TRANSFERS_MAX).default(100),
    }),
    answer: {
      status: 200,
      json: z.strictObject({
        items: list(eventSchema),
        nextCursor: z.string().describe('Where the next announce will stand.'),
      }),
    },
  },
  async ({ visit, query: { cursor, limit } }) => {
    const { log, sql, config } = visit.parts;
    const { firstOffset, nextOffset } = await log.stats(TRANSFERS_TOPIC);
    const wanted = cursor === undefined ? nextOffset - limit : Number(cursor);
    const from = Math.max(firstOffset, Math.min(wanted, nextOffset));
    const { records } = await log.read(TRANSFERS_TOPIC, { from, recordsMax: limit });
    const events = await eventsOf({ sql, withAddresses: config.transferAddresses }, records);
    const last = records.at(-1);
    return {
      items: events.map((event) => ({
        ...{ offset: event.offset, timeMs: event.timeMs, memberId: event.memberId },
        ...{ torrentId: event.torrentId, event: event.event, door: event.door },
        client: event.client,
        ...movedOf(event),
        leftBytes: event.leftBytes ?? null,
        ...{ address: event.address ?? null, port: event.port ?? null },
      })),
      nextCursor: String(last === undefined ? from : last.offset + 1),
    };
  },
);

const signalSchema = z
  .strictObject({
    id: z.int(),
    kind: z.string(),
    member: memberNameSchema,
    torrent: torrentNameSchema.nullable().describe('Null when it is about no single one.'),
    seen: z.string().describe('The evidence in a sentence.'),
    firstMs: time,
    lastMs: time,
    times: z.int(),
  })
  .meta({ id: 'CheatSignal' });

const signalsRoute = apiRoute(
  {
    name: 'listSignals',
    method: 'GET',
    path: '/console/signals',
    tag: 'console',
    summary: 'Hints of cheating with their evidence, the latest first, for a person to judge.',
    permission: 'administer',
    pages: ['GET consoleSignals'],
    query: numberPageQuery,
    answer: { status: 200, json: pageOf(signalSchema).extend({ total: z.int() }) },
  },
  async ({ visit, query: { cursor, limit } }) => {
    const { sql } = visit.parts;
    const asked = { limit: limit + 1, ...edge('beforeMs', cursor) };
    const signals = await listSignals(sql, asked);
    const members = await memberNames(
      sql,
      signals.map((one) => one.memberId),
    );
    const torrents = await torrentNames(
      sql,
      signals.map((one) => one.torrentId),
    );
    const page = cutPage(signals, limit, {
      item: (one) => ({
        ...{ id: one.id, kind: one.kind, seen: signalSeen(one) },
        member: { memberId: one.memberId, name: members.get(one.memberId) ?? null },
        torrent: one.torrentId === 0 ? null : torrentName(one.torrentId, torrents),
        ...{ firstMs: one.firstMs, lastMs: one.lastMs, times: one.times },
      }),
      cursor: (one) => one.lastMs,
    });
    return { ...page, total: await countSignals(sql) };
  },
);

const dismissRoute = apiRoute(
  {
    name: 'dismissSignal',
    method: 'DELETE',
    path: '/console/signals/:id',
    tag: 'console',
    summary: 'Take a hint off the list; what happens after that is a new one.',
    permission: 'administer',
    pages: ['POST consoleSignalDismiss'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const by = { memberId: visit.signedIn().memberId, nowMs: visit.nowMs };
    const isDone = await dismissSignal(visit.parts.sql, Number(params.id), by);
    return isDone ? undefined : new Problem('not-found', 'Somebody dismissed it already.');
  },
);

export const consoleRoutes = [
  ...[statusRoute, settingsRoute, changeRoute, jobsRoute, jobRoute, steerRoute],
  ...[transfersRoute, signalsRoute, dismissRoute],
];
