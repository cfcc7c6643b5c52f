// The list of requests, one request, a new one.

import { bonusBalance } from '#accounting/bonus/bonus.ts';
import { toHex } from '#base/bytes.ts';
import type { Errors } from '#site/accounts/entry-views.ts';
import { findMemberById, memberNames } from '#site/accounts/members.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { findTorrent, findTorrentByHash } from '#site/catalogue/find-torrent.ts';
import { ERROR_WORDS } from '#site/error-pages.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import { CHANGED_MEANWHILE, refuseUnseen } from '#site/shown.ts';
import { recordDeed } from '#site/staff-log/staff-deeds.ts';
import type { Visit } from '#site/visit.ts';
import { newRequestMain, requestMain, requestsMain, withdrawMain } from './request-views.ts';
import {
  acceptOffer,
  addBounty,
  addRequest,
  findRequest,
  listRequests,
  offerTorrent,
  offerVersion,
  REQUEST_STATES,
  type Request,
  refuseOffer,
  withdrawRequest,
} from './requests.ts';

const LINES = 50;
const ORDER_BYTES = 12;

export const requestRoutes: RouteHandlers = {
  requests: { GET: showRequests },
  requestNew: { GET: showNew, POST: postNew },
  request: { GET: showRequest, POST: postRequest },
  requestWithdraw: { GET: showWithdraw, POST: postWithdraw },
};

async function showRequests(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const state = REQUEST_STATES.find((one) => one === visit.query('state')) ?? 'open';
  const before = visit.numberQuery('before');
  const page = { state, limit: LINES + 1, ...(before === undefined ? {} : { before }) };
  const found = await listRequests(sql, page);
  const requests = found.slice(0, LINES);
  const names = await memberNames(
    sql,
    requests.map((one) => one.memberId),
  );
  const next = href('requests', { state, before: requests.at(-1)?.id });
  const main = requestsMain({
    ...{ requests, names, state, nowMs: visit.nowMs, mayAsk: visit.may('comment') },
    nextHref: found.length > LINES ? next : undefined,
  });
  return await visit.page({ title: 'Requests', main, section: 'requests' });
}

async function showNew(visit: Visit): Promise<Response> {
  return await newPage(visit, { title: '', description: '' }, {});
}

async function postNew(visit: Visit): Promise<Response> {
  const { form, parts } = visit;
  const typed = { title: form.text('title'), description: form.text('description') };
  const made = await addRequest(parts, { memberId: visit.signedIn().memberId, ...typed });
  if (made instanceof Refusal) return await newPage(visit, typed, errorsOf(made));
  const text = 'Others see it now. Put points in, and it is brought sooner.';
  return visit.redirect(hrefTo('request', { id: made }), { kind: 'good', text });
}

async function newPage(
  visit: Visit,
  typed: { readonly title: string; readonly description: string },
  errors: Errors,
): Promise<Response> {
  const main = newRequestMain({ csrf: visit.csrfToken, typed, errors });
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Ask for something', main, section: 'requests', status });
}

async function showRequest(visit: Visit): Promise<Response> {
  return await requestPage(visit, {});
}

async function postRequest(visit: Visit): Promise<Response> {
  const request = await requestOf(visit);
  if (request === undefined) return await visit.notFound('There is no such request.');
  switch (visit.form.text('action')) {
    case 'bounty':
      return await answered(visit, request, await putIn(visit, request), 'Your points are in.');
    case 'offer': {
      const words = 'Offered. Whoever asked is told, and says whether it is right.';
      return await answered(
        visit,
        request,
        await offer(visit, request, visit.form.text('torrent')),
        words,
      );
    }
    case 'accept':
      return await decide(visit, request, 'accept');
    case 'refuse':
      return await decide(visit, request, 'refuse');
    default:
      return await visit.notFound('There is no such action.');
  }
}

async function putIn(visit: Visit, request: Request): Promise<Refusal | undefined> {
  const { form, parts } = visit;
  const points = form.text('points').trim();
  return await addBounty(parts, {
    requestId: request.id,
    memberId: visit.signedIn().memberId,
    points: /^\d{1,9}$/.test(points) ? Number(points) : 0,
    order: form.text('order'),
  });
}

/** By its hash, or by the address of its page. */
export async function offer(
  visit: Visit,
  request: Request,
  address: string,
): Promise<Refusal | undefined> {
  const { sql } = visit.parts;
  const hash = /[0-9a-f]{40,64}/i.exec(address)?.[0] ?? '';
  const torrent = await findTorrentByHash(sql, hash);
  if (torrent === undefined || torrent.removedMs !== undefined) {
    const words = 'The address of a torrent of this site is needed, or its info hash.';
    return new Refusal('torrent-unknown', words, 'torrent');
  }
  const uploader = await findMemberById(sql, torrent.uploaderId);
  if (uploader === undefined || uploader.state === 'removed') {
    const words = 'Whoever uploaded it is gone, so that nobody could be paid.';
    return new Refusal('uploader-gone', words, 'torrent');
  }
  return await offerTorrent(visit.parts, { requestId: request.id, torrent });
}

/** Whoever asked says, or a moderator in their place. */
async function decide(
  visit: Visit,
  request: Request,
  what: 'accept' | 'refuse',
): Promise<Response> {
  if (!isTheirs(visit, request)) return await visit.error(ERROR_WORDS.forbidden);
  const decided = await decideOffer(visit, request, what);
  const refused = decided instanceof Refusal ? decided : undefined;
  const words =
    decided === 'accepted' ? 'Accepted, and paid.' : 'The request waits for another torrent.';
  return await answered(visit, request, refused, words);
}

const OTHER_OFFER = new Refusal(
  CHANGED_MEANWHILE,
  'What is offered changed since you opened this page. Nothing was decided: look at it again.',
  'torrent',
);

/** By whoever asked, or a moderator. What was removed meanwhile is refused. */
export async function decideOffer(
  visit: Visit,
  request: Request,
  what: 'accept' | 'refuse',
): Promise<Refusal | 'accepted' | 'refused'> {
  const { id: requestId, torrentId } = request;
  if (refuseUnseen(visit.shown, offerVersion(request)) !== undefined) return OTHER_OFFER;
  const torrent = torrentId && (await findTorrent(visit.parts.sql, torrentId));
  await tellStaff(visit, request, what === 'accept' ? 'requestAccept' : 'requestRefuse');
  if (what === 'refuse' || !torrent || torrent.removedMs !== undefined) {
    return (await refuseOffer(visit.parts, { requestId, torrentId: torrentId ?? 0 })) ?? 'refused';
  }
  const paid = { requestId, torrentId: torrent.id, uploaderId: torrent.uploaderId };
  return (await acceptOffer(visit.parts, paid)) ?? 'accepted';
}

async function showWithdraw(visit: Visit): Promise<Response> {
  const request = await requestOf(visit);
  if (request?.state !== 'open') return await visit.notFound('This request is not open.');
  if (!isTheirs(visit, request)) return await visit.error(ERROR_WORDS.forbidden);
  const main = withdrawMain(visit.csrfToken, request);
  return await visit.page({ title: 'Withdraw a request', main, section: 'requests' });
}

async function postWithdraw(visit: Visit): Promise<Response> {
  const request = await requestOf(visit);
  if (request?.state !== 'open') return await visit.notFound('This request is not open.');
  if (!isTheirs(visit, request)) return await visit.error(ERROR_WORDS.forbidden);
  const refused = await withdraw(visit, request);
  return await answered(visit, request, refused, 'Withdrawn. Everybody has their points back.');
}

/** By whoever asked, or a moderator. */
export async function withdraw(visit: Visit, request: Request): Promise<Refusal | undefined> {
  await tellStaff(visit, request, 'requestWithdraw');
  return await withdrawRequest(visit.parts, request.id);
}

async function answered(
  visit: Visit,
  request: Request,
  refused: Refusal | undefined,
  text: string,
): Promise<Response> {
  if (refused !== undefined) return await requestPage(visit, errorsOf(refused));
  return visit.redirect(hrefTo('request', { id: request.id }), { kind: 'good', text });
}

async function tellStaff(visit: Visit, request: Request, action: string): Promise<void> {
  if (request.memberId === visit.signedIn().memberId) return;
  await recordDeed(visit, { action, subject: `request ${request.id}`, words: request.title });
}

export function isTheirs(visit: Visit, request: Request): boolean {
  return request.memberId === visit.signedIn().memberId || visit.may('moderate');
}

async function requestOf(visit: Visit): Promise<Request | undefined> {
  const id = visit.numberParam('id');
  return id === undefined ? undefined : await findRequest(visit.parts.sql, id);
}

async function requestPage(visit: Visit, errors: Errors): Promise<Response> {
  const { sql, random } = visit.parts;
  const request = await requestOf(visit);
  if (request === undefined) return await visit.notFound('There is no such request.');
  const { memberId } = visit.signedIn();
  const { torrentId } = request;
  const names = await memberNames(sql, [request.memberId]);
  const main = requestMain({
    ...{ request, errors, csrf: visit.csrfToken, nowMs: visit.nowMs },
    by: names.get(request.memberId),
    torrent: torrentId === undefined ? undefined : await findTorrent(sql, torrentId),
    isTheirs: isTheirs(visit, request),
    mayAct: visit.may('comment'),
    milliPoints: await bonusBalance(sql, memberId),
    order: toHex(random.bytes(ORDER_BYTES)),
  });
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: request.title, main, section: 'requests', status });
}

function errorsOf(refusal: Refusal): Errors {
  return { [refusal.field ?? 'title']: refusal.message };
}
