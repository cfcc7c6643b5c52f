// Handlers of freeleech: windows opened and ended by admins, tokens given by them and spent by members.

import type { Errors } from '#site/accounts/entry-views.ts';
import { torrentNames } from '#site/accounts/history.ts';
import { findMember, memberNames } from '#site/accounts/members.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { findTorrentByHash, type Torrent } from '#site/catalogue/find-torrent.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import { judgedMembers } from '#site/rules/standing-effects.ts';
import type { Visit } from '#site/visit.ts';
import type { SiteParts } from '#site/world.ts';
import { type CreditValues, creditValues, NO_CREDIT_VALUES, readCredit } from './credit-form.ts';
import { creditNow } from './credit-now.ts';
import { countTokens, giveTokens, spendToken } from './credit-tokens.ts';
import {
  creditMain,
  type NamedWindow,
  type TokenValues,
  tokenMain,
  torrentCreditMain,
} from './credit-views.ts';
import { endWindow, listWindows, type OpenWindow, openWindow } from './credit-windows.ts';
import { isExempt, setExempt } from './exemption.ts';

const WINDOWS_SHOWN_MAX = 200;
const MEMBERS_AT_ONCE = 500;
const NO_TOKENS: TokenValues = { who: '', count: '1' };

export const creditRoutes: RouteHandlers = {
  consoleCredit: { GET: showCredit, POST: postCredit },
  consoleCreditEnd: { POST: postEnd },
  consoleTokens: { POST: postTokens },
  torrentCredit: { GET: showTorrentCredit, POST: postTorrentCredit },
  torrentExempt: { POST: postExempt },
  torrentToken: { GET: showToken, POST: postToken },
};

async function showCredit(visit: Visit): Promise<Response> {
  return await creditPage(visit, { values: NO_CREDIT_VALUES, who: '', tokens: NO_TOKENS }, {});
}

async function postCredit(visit: Visit): Promise<Response> {
  const values = creditValues(visit.form);
  const who = visit.form.text('who').trim().slice(0, 64);
  const typed = { values, who, tokens: NO_TOKENS };
  const member = who === '' ? undefined : await findMember(visit.parts.sql, who);
  if (who !== '' && member === undefined) {
    return await creditPage(visit, typed, { who: 'No member is called so.' });
  }
  const read = readCredit(values, visit.nowMs);
  if ('errors' in read) return await creditPage(visit, typed, read.errors);
  const opened = await openWindow(visit.parts, {
    ...read.window,
    memberId: member?.id ?? 0,
    torrentId: 0,
    openedBy: visit.signedIn().memberId,
  });
  if (opened instanceof Refusal) return await creditPage(visit, typed, errorsOf(opened));
  return openedAnswer(visit, opened, href('consoleCredit'));
}

async function postEnd(visit: Visit): Promise<Response> {
  const id = visit.numberParam('id');
  const ended = id !== undefined && (await endWindow(visit.parts, id));
  const text = 'Ended: everything counts in full again within a second.';
  if (!ended) return await visit.notFound('It is over already.');
  visit.parts.logger.info('A window of credit was ended', { id, by: visit.signedIn().memberId });
  return visit.redirect(href('consoleCredit'), { kind: 'good', text });
}

async function postTokens(visit: Visit): Promise<Response> {
  const { parts, form } = visit;
  const tokens = { who: form.text('holder').trim().slice(0, 64), count: form.text('count').trim() };
  const typed = { values: NO_CREDIT_VALUES, who: '', tokens };
  const member = tokens.who === '' ? undefined : await findMember(parts.sql, tokens.who);
  if (tokens.who !== '' && member === undefined) {
    return await creditPage(visit, typed, { holder: 'No member is called so.' });
  }
  const memberIds = member === undefined ? await everybody(parts) : [member.id];
  const refused = await giveTokens(parts, {
    memberIds,
    count: /^\d{1,3}$/.test(tokens.count) ? Number(tokens.count) : 0,
    givenBy: visit.signedIn().memberId,
    expiresMs: visit.nowMs + parts.config.tokenValidMs,
  });
  if (refused !== undefined) return await creditPage(visit, typed, errorsOf(refused));
  parts.logger.info('Tokens were given', {
    members: memberIds.length,
    count: tokens.count,
    by: visit.signedIn().memberId,
  });
  const whom = member?.name ?? 'Every active member';
  const text = `${whom} has ${tokens.count} more.`;
  return visit.redirect(href('consoleCredit'), { kind: 'good', text });
}

/** Ids of all active members. */
export async function everybody(parts: SiteParts): Promise<readonly number[]> {
  const members = judgedMembers(parts.sql);
  const ids: number[] = [];
  for (let after = 0; ; ) {
    const page = await members.page(after, MEMBERS_AT_ONCE);
    const last = page.at(-1);
    if (last === undefined) return ids;
    for (const { memberId } of page) ids.push(memberId);
    after = last.memberId;
  }
}

async function creditPage(
  visit: Visit,
  typed: { readonly values: CreditValues; readonly who: string; readonly tokens: TokenValues },
  errors: Errors,
): Promise<Response> {
  const { sql } = visit.parts;
  const { nowMs, csrfToken: csrf } = visit;
  const windows = await named(visit, await listWindows(sql, { nowMs, limit: WINDOWS_SHOWN_MAX }));
  const main = creditMain({ csrf, nowMs, windows, errors, ...typed });
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Freeleech', main, section: 'console', status });
}

async function named(
  visit: Visit,
  windows: readonly OpenWindow[],
): Promise<readonly NamedWindow[]> {
  const { sql } = visit.parts;
  const members = await memberNames(
    sql,
    windows.map((window) => window.memberId),
  );
  const torrents = await torrentNames(
    sql,
    windows.map((window) => window.torrentId),
  );
  return windows.map((window) => ({
    ...window,
    member: members.get(window.memberId),
    torrent: torrents.get(window.torrentId),
  }));
}

async function showTorrentCredit(visit: Visit): Promise<Response> {
  return await torrentCreditPage(visit, NO_CREDIT_VALUES, {});
}

async function postTorrentCredit(visit: Visit): Promise<Response> {
  const torrent = await torrentOf(visit);
  if (torrent === undefined) return await visit.notFound();
  const values = creditValues(visit.form);
  const read = readCredit(values, visit.nowMs);
  if ('errors' in read) return await torrentCreditPage(visit, values, read.errors);
  const opened = await openWindow(visit.parts, {
    ...read.window,
    memberId: 0,
    torrentId: torrent.id,
    openedBy: visit.signedIn().memberId,
  });
  if (opened instanceof Refusal) return await torrentCreditPage(visit, values, errorsOf(opened));
  return openedAnswer(visit, opened, hrefTo('torrent', { hash: torrent.infoHash }));
}

async function torrentCreditPage(
  visit: Visit,
  values: CreditValues,
  errors: Errors,
): Promise<Response> {
  const torrent = await torrentOf(visit);
  if (torrent === undefined) return await visit.notFound();
  const { nowMs, csrfToken: csrf } = visit;
  const asked = { nowMs, limit: WINDOWS_SHOWN_MAX, torrentId: torrent.id };
  const windows = await named(visit, await listWindows(visit.parts.sql, asked));
  const { title, infoHash: hash } = torrent;
  const isFreed = await isExempt(visit.parts.sql, torrent.id);
  const main = torrentCreditMain({ csrf, nowMs, windows, values, errors, title, hash, isFreed });
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: `Freeleech: ${title}`, main, section: 'torrents', status });
}

function openedAnswer(visit: Visit, opened: OpenWindow, path: string): Response {
  const { id, memberId, torrentId, uploadCreditPercent, downloadCreditPercent } = opened;
  visit.parts.logger.info('A window of credit was opened', {
    id,
    memberId,
    torrentId,
    uploadCreditPercent,
    downloadCreditPercent,
    by: visit.signedIn().memberId,
  });
  const text =
    opened.fromMs > visit.nowMs
      ? 'It is planned; the trackers begin by themselves.'
      : 'Open: in force at the trackers within a second.';
  return visit.redirect(path, { kind: 'good', text });
}

async function postExempt(visit: Visit): Promise<Response> {
  const torrent = await torrentOf(visit);
  if (torrent === undefined) return await visit.notFound();
  const exempt = visit.form.text('exempt') === 'yes';
  const { memberId } = visit.signedIn();
  await setExempt(visit.parts, { torrentId: torrent.id, isExempt: exempt, memberId });
  visit.parts.logger.info('A torrent was exempted, or is so no more', {
    torrentId: torrent.id,
    exempt,
    by: memberId,
  });
  const text = exempt
    ? 'It asks nothing of anybody, from the next check on.'
    : 'It counts like every other, from the next check on.';
  const path = hrefTo('torrentCredit', { hash: torrent.infoHash });
  return visit.redirect(path, { kind: 'good', text });
}

async function showToken(visit: Visit): Promise<Response> {
  const torrent = await torrentOf(visit);
  if (torrent === undefined) return await visit.notFound();
  const { parts, nowMs } = visit;
  const tokens = await countTokens(parts.sql, visit.signedIn().memberId, nowMs);
  const hash = torrent.infoHash;
  if (tokens === 0) {
    const text = 'You have no token to spend.';
    return visit.redirect(hrefTo('torrent', { hash }), { kind: 'bad', text });
  }
  const windowMs = parts.config.tokenWindowMs;
  const { csrfToken: csrf } = visit;
  const main = tokenMain({ csrf, title: torrent.title, hash, tokens, windowMs });
  return await visit.page({ title: 'Spend a token', main, section: 'torrents' });
}

async function postToken(visit: Visit): Promise<Response> {
  const torrent = await torrentOf(visit);
  if (torrent === undefined) return await visit.notFound();
  const { parts, nowMs } = visit;
  const { memberId } = visit.signedIn();
  const path = hrefTo('torrent', { hash: torrent.infoHash });
  // A token for what is free already would be lost: two presses of the button spend one.
  const now = await creditNow(parts.sql, { memberId, torrentId: torrent.id }, nowMs);
  if (now?.credit.downloadCreditPercent === 0) {
    const text = 'It is free for you already; your token was kept.';
    return visit.redirect(path, { kind: 'info', text });
  }
  const spent = await spendToken(parts, {
    memberId,
    torrentId: torrent.id,
    windowMs: parts.config.tokenWindowMs,
  });
  if (spent instanceof Refusal) {
    return visit.redirect(path, { kind: 'bad', text: spent.message });
  }
  const text = 'Your token is spent: what you take of this torrent does not count for now.';
  return visit.redirect(path, { kind: 'good', text });
}

async function torrentOf(visit: Visit): Promise<Torrent | undefined> {
  const torrent = await findTorrentByHash(visit.parts.sql, visit.param('hash'));
  return torrent?.removedMs === undefined ? torrent : undefined;
}

function errorsOf(refusal: Refusal): Errors {
  return { [refusal.field ?? 'credit']: refusal.message };
}
