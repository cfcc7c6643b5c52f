// What members are judged by: rules, classes, windows of credit, freeleech tokens.

import { z } from 'zod';
import { parseClasses } from '#accounting/classes/class-list.ts';
import { NO_END_MS } from '#accounting/credit.ts';
import { rulesConfig } from '#accounting/rules-config.ts';
import { torrentNames } from '#site/accounts/history.ts';
import { findMember, memberNames } from '#site/accounts/members.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { Problem } from '#site/api/problem.ts';
import { changeClasses, classesInForce } from '#site/classes/class-book.ts';
import { trialOf } from '#site/classes/class-pages.ts';
import { trialOfRules } from '#site/console/rule-handlers.ts';
import { everybody } from '#site/credit/credit-handlers.ts';
import { giveTokens, TOKENS_AT_ONCE_MAX } from '#site/credit/credit-tokens.ts';
import { endWindow, listWindows, openWindow } from '#site/credit/credit-windows.ts';
import { setExempt } from '#site/credit/exemption.ts';
import { Refusal } from '#site/refusal.ts';
import {
  givenTime,
  hashParams,
  idParams,
  memberNameSchema,
  time,
  torrentName,
  torrentNameSchema,
  version,
} from './shapes.ts';
import { torrentHere } from './torrent-routes.ts';

const WINDOWS_MAX = 200;

/** How often they are judged is the configuration's. */
const rulesSchema = rulesConfig.omit({ checkEveryMs: true });
const rulesInForceSchema = z.strictObject({
  rules: z.record(z.string(), z.union([z.string(), z.number()])),
  isFromSite: z.boolean().describe("False when they are the configuration's."),
  version,
});

const rulesRoute = apiRoute(
  {
    name: 'getRules',
    method: 'GET',
    path: '/console/rules',
    tag: 'console',
    summary: 'By what members are judged; the names are those of `[rules]` in the configuration.',
    permission: 'administer',
    pages: ['GET consoleRules'],
    answer: { status: 200, json: rulesInForceSchema },
    version: (answer) => answer.version,
  },
  async ({ visit }) => {
    const { rules, isFromSite, version } = await visit.parts.ruleBook.current();
    const { checkEveryMs: _, ...shown } = rules;
    return { rules: shown, isFromSite, version };
  },
);

const changeRulesRoute = apiRoute(
  {
    name: 'changeRules',
    method: 'PATCH',
    path: '/console/rules',
    tag: 'console',
    summary: 'Put other rules in force, for the next check; what is left out stays.',
    permission: 'administer',
    pages: ['POST consoleRules'],
    body: { json: rulesSchema.partial() },
    matches: true,
    answer: { status: 204 },
  },
  async ({ visit, body }) => {
    const { ruleBook, logger } = visit.parts;
    const { rules, version: read } = await ruleBook.current();
    const changed = rulesConfig.parse({ ...rules, ...body });
    // What was left out stays as it was read a moment ago: it is not put back over what came since.
    const shown = visit.shown.length > 0 ? visit.shown : [read];
    const refused = await ruleBook.change(changed, shown);
    if (refused !== undefined) return refused;
    const by = visit.signedIn().memberId;
    logger.info('The rules were changed', { strategy: changed.strategy, by });
    return undefined;
  },
);

const tryRulesRoute = apiRoute(
  {
    name: 'tryRules',
    method: 'POST',
    path: '/console/rules/trial',
    tag: 'console',
    summary:
      'Whom rules would touch with the next check, and over the last 30 days. Nothing is saved.',
    permission: 'administer',
    pages: ['POST consoleRulesTry', 'GET consoleRulesReset'],
    body: { json: rulesSchema.partial() },
    answer: {
      status: 200,
      json: z.strictObject({
        members: z.int().describe('How many were tried, the oldest accounts first.'),
        isWhole: z.boolean(),
        touched: list(
          z.strictObject({
            member: memberNameSchema,
            next: z.string().nullable().describe('Where the next check would put them.'),
            pastWorst: z.string(),
            pastEnd: z.string(),
          }),
        ).describe('The first of them.'),
      }),
    },
  },
  async ({ visit, body }) => {
    const { rules } = await visit.parts.ruleBook.current();
    const trial = await trialOfRules(visit, rulesConfig.parse({ ...rules, ...body }));
    const ids = trial.touched.map((one) => one.memberId);
    const names = await memberNames(visit.parts.sql, ids);
    return {
      ...{ members: trial.members, isWhole: trial.isWhole },
      touched: trial.touched.map(({ memberId, transition, pastWorst, pastEnd }) => ({
        member: { memberId, name: names.get(memberId) ?? null },
        next: transition?.to.state ?? null,
        ...{ pastWorst, pastEnd },
      })),
    };
  },
);

const resetRulesRoute = apiRoute(
  {
    name: 'resetRules',
    method: 'DELETE',
    path: '/console/rules',
    tag: 'console',
    summary: 'Go back to the rules of the configuration.',
    permission: 'administer',
    pages: ['POST consoleRulesReset'],
    answer: { status: 204 },
  },
  async ({ visit }) => {
    const { ruleBook, logger } = visit.parts;
    await ruleBook.reset();
    logger.info('The rules of the configuration hold again', { by: visit.signedIn().memberId });
    return undefined;
  },
);

const classesBody = z.strictObject({
  lines: list(z.string().max(1000)).describe('One class each, the lowest first.'),
});

const classesRoute = apiRoute(
  {
    name: 'getClasses',
    method: 'GET',
    path: '/console/classes',
    tag: 'console',
    summary: 'Who rises to what, as `Name: given 25 GiB, age 14 d; keeps ratio 1.05`.',
    permission: 'administer',
    pages: ['GET consoleClasses'],
    answer: {
      status: 200,
      json: z.strictObject({ lines: list(z.string()), isFromSite: z.boolean(), version }),
    },
    version: (answer) => answer.version,
  },
  async ({ visit }) => {
    const { lines, isFromSite, version } = await classesInForce(visit.parts);
    return { lines, isFromSite, version };
  },
);

const changeClassesRoute = apiRoute(
  {
    name: 'changeClasses',
    method: 'PUT',
    path: '/console/classes',
    tag: 'console',
    summary: 'Put other classes in force, for the next check.',
    permission: 'administer',
    pages: ['POST consoleClasses'],
    body: { json: classesBody },
    matches: true,
    answer: { status: 204 },
  },
  async ({ visit, body }) => {
    const parsed = parseClasses(body.lines);
    if (typeof parsed === 'string') return new Refusal('classes-invalid', parsed, 'lines');
    const { sql, logger } = visit.parts;
    const refused = await changeClasses(sql, body.lines, visit.shown);
    if (refused !== undefined) return refused;
    const by = visit.signedIn().memberId;
    logger.info('The classes were changed', { classes: parsed.length, by });
    return undefined;
  },
);

const tryClassesRoute = apiRoute(
  {
    name: 'tryClasses',
    method: 'POST',
    path: '/console/classes/trial',
    tag: 'console',
    summary: 'Whom classes would touch with the next check. Nothing is saved.',
    permission: 'administer',
    pages: ['POST consoleClassesTry'],
    body: { json: classesBody },
    answer: {
      status: 200,
      json: z.strictObject({
        members: z.int(),
        isWhole: z.boolean(),
        touched: list(
          z.strictObject({
            member: memberNameSchema,
            step: z.enum(['promoted', 'warned', 'settled', 'demoted']),
            from: z.string(),
            to: z.string(),
          }),
        ),
      }),
    },
  },
  async ({ visit, body }) => {
    const parsed = parseClasses(body.lines);
    if (typeof parsed === 'string') return new Refusal('classes-invalid', parsed, 'lines');
    const { made, tried, isWhole } = await trialOf(visit, parsed);
    const names = await memberNames(
      visit.parts.sql,
      made.map((one) => one.memberId),
    );
    const touched = made.map(({ memberId, transition }) => ({
      member: { memberId, name: names.get(memberId) ?? null },
      ...{ step: transition.step, from: transition.from, to: transition.to.name },
    }));
    return { members: tried, isWhole, touched };
  },
);

const resetClassesRoute = apiRoute(
  {
    name: 'resetClasses',
    method: 'DELETE',
    path: '/console/classes',
    tag: 'console',
    summary: 'Go back to the classes of the configuration.',
    permission: 'administer',
    pages: ['POST consoleClasses'],
    answer: { status: 204 },
  },
  async ({ visit }) => {
    const { sql, logger } = visit.parts;
    await changeClasses(sql, undefined);
    logger.info('The classes of the configuration hold again', { by: visit.signedIn().memberId });
    return undefined;
  },
);

const windowFields = {
  uploadCreditPercent: z.int().min(0).max(1000),
  downloadCreditPercent: z.int().min(0).max(1000).describe('0 is freeleech.'),
  fromMs: time,
};

const windowSchema = z
  .strictObject({
    id: z.int(),
    ...windowFields,
    untilMs: time.nullable().describe('Null has no end.'),
    member: memberNameSchema.nullable().describe('Null is everybody.'),
    torrent: torrentNameSchema.nullable().describe('Null is every torrent.'),
  })
  .meta({ id: 'CreditWindow' });

const windowsRoute = apiRoute(
  {
    name: 'listCreditWindows',
    method: 'GET',
    path: '/console/credit-windows',
    tag: 'console',
    summary: `Times in which other percentages count than what moved, at most ${WINDOWS_MAX}.`,
    permission: 'administer',
    pages: ['GET consoleCredit', 'GET torrentCredit'],
    answer: { status: 200, json: z.strictObject({ items: list(windowSchema) }) },
  },
  async ({ visit }) => {
    const { sql } = visit.parts;
    const windows = await listWindows(sql, { nowMs: visit.nowMs, limit: WINDOWS_MAX });
    const members = await memberNames(
      sql,
      windows.map((window) => window.memberId),
    );
    const torrents = await torrentNames(
      sql,
      windows.map((window) => window.torrentId),
    );
    const items = windows.map(({ id, memberId, torrentId, fromMs, untilMs, ...credit }) => ({
      ...{ id, fromMs, untilMs: untilMs === NO_END_MS ? null : untilMs },
      uploadCreditPercent: credit.uploadCreditPercent,
      downloadCreditPercent: credit.downloadCreditPercent,
      member: memberId === 0 ? null : { memberId, name: members.get(memberId) ?? null },
      torrent: torrentId === 0 ? null : torrentName(torrentId, torrents),
    }));
    return { items };
  },
);

const openWindowRoute = apiRoute(
  {
    name: 'openCreditWindow',
    method: 'POST',
    path: '/console/credit-windows',
    tag: 'console',
    summary: 'Open or plan a window of credit: in force at the trackers within a second.',
    permission: 'administer',
    pages: ['POST consoleCredit', 'POST torrentCredit'],
    body: {
      json: z.strictObject({
        ...windowFields,
        fromMs: givenTime.optional().describe('Unix milliseconds; without it, now.'),
        untilMs: givenTime.optional().describe('Unix milliseconds; without it, no end.'),
        member: z.string().max(64).optional().describe('A name; without it, everybody.'),
        infoHash: hashParams.shape.hash.optional().describe('Without it, every torrent.'),
      }),
    },
    answer: { status: 201, json: z.strictObject({ id: z.int() }) },
  },
  async ({ visit, body }) => {
    const { parts, nowMs } = visit;
    const member = body.member === undefined ? undefined : await findMember(parts.sql, body.member);
    if (body.member !== undefined && member === undefined) {
      return new Refusal('member-unknown', 'No member is called so.', 'member');
    }
    const torrent =
      body.infoHash === undefined ? undefined : await torrentHere(visit, body.infoHash);
    if (torrent instanceof Problem) return torrent;
    const { uploadCreditPercent, downloadCreditPercent, fromMs = nowMs } = body;
    const opened = await openWindow(parts, {
      ...{ uploadCreditPercent, downloadCreditPercent, fromMs, untilMs: body.untilMs ?? NO_END_MS },
      ...{ memberId: member?.id ?? 0, torrentId: torrent?.id ?? 0 },
      openedBy: visit.signedIn().memberId,
    });
    if (opened instanceof Refusal) return opened;
    const by = visit.signedIn().memberId;
    parts.logger.info('A window of credit was opened', { id: opened.id, by });
    return { id: opened.id };
  },
);

const endWindowRoute = apiRoute(
  {
    name: 'endCreditWindow',
    method: 'DELETE',
    path: '/console/credit-windows/:id',
    tag: 'console',
    summary: 'End a window: everything counts in full again within a second.',
    permission: 'administer',
    pages: ['POST consoleCreditEnd'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const id = Number(params.id);
    if (!(await endWindow(visit.parts, id))) return new Problem('not-found', 'It is over already.');
    visit.parts.logger.info('A window of credit was ended', { id, by: visit.signedIn().memberId });
    return undefined;
  },
);

const tokensRoute = apiRoute(
  {
    name: 'giveFreeleechTokens',
    method: 'POST',
    path: '/console/freeleech-tokens',
    tag: 'console',
    summary: 'Give freeleech tokens to one member, or to every active one.',
    permission: 'administer',
    pages: ['POST consoleTokens'],
    body: {
      json: z.strictObject({
        member: z.string().max(64).optional().describe('A name; without it, everybody.'),
        count: z.int().min(1).max(TOKENS_AT_ONCE_MAX),
      }),
    },
    answer: { status: 200, json: z.strictObject({ members: z.int().describe('Who got some.') }) },
  },
  async ({ visit, body }) => {
    const { parts } = visit;
    const member = body.member === undefined ? undefined : await findMember(parts.sql, body.member);
    if (body.member !== undefined && member === undefined) {
      return new Refusal('member-unknown', 'No member is called so.', 'member');
    }
    const memberIds = member === undefined ? await everybody(parts) : [member.id];
    const by = visit.signedIn().memberId;
    const expiresMs = visit.nowMs + parts.config.tokenValidMs;
    const refused = await giveTokens(parts, {
      ...{ memberIds, count: body.count, givenBy: by, expiresMs },
    });
    if (refused !== undefined) return refused;
    const { count } = body;
    parts.logger.info('Tokens were given', { members: memberIds.length, count, by });
    return { members: memberIds.length };
  },
);

const exemptRoute = apiRoute(
  {
    name: 'exemptTorrent',
    method: 'PUT',
    path: '/console/torrents/:hash/exemption',
    tag: 'console',
    summary: 'Have a torrent ask nothing of anybody from the next check on, or ask again.',
    permission: 'administer',
    pages: ['POST torrentExempt'],
    params: hashParams,
    body: { json: z.strictObject({ isExempt: z.boolean() }) },
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const torrent = await torrentHere(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const { memberId } = visit.signedIn();
    const { isExempt } = body;
    await setExempt(visit.parts, { torrentId: torrent.id, isExempt, memberId });
    visit.parts.logger.info('A torrent was exempted, or is so no more', {
      ...{ torrentId: torrent.id, exempt: body.isExempt, by: visit.signedIn().memberId },
    });
    return undefined;
  },
);

export const ruleRoutes = [
  ...[rulesRoute, changeRulesRoute, tryRulesRoute, resetRulesRoute],
  ...[classesRoute, changeClassesRoute, tryClassesRoute, resetClassesRoute],
];

export const creditRoutes = [
  ...[windowsRoute, openWindowRoute, endWindowRoute, tokensRoute, exemptRoute],
];
