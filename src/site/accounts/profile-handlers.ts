// Handlers of profiles and of the list of members.

import { bonusBalance } from '#accounting/bonus/bonus.ts';
import { memberTotals, totalsOfMembers } from '#accounting/totals.ts';
import { isLocalUrl, memberAnnounceUrls } from '#site/announce-urls.ts';
import { classView } from '#site/classes/class-panel.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import { standingView } from '#site/rules/standing-panel.ts';
import type { Visit } from '#site/visit.ts';
import { lastDays, memberHistory, torrentNames } from './history.ts';
import { countMembers, findMember, listMembers, type Member, resetPasskey } from './members.ts';
import { membersMain, type ProfileInside, passkeyResetMain, profileMain } from './profile-views.ts';

const HISTORY_LINES = 25;
const PEERS_MAX = 100;
const MEMBERS_LINES = 50;

export function showMe(visit: Visit): Response {
  return visit.redirect(hrefTo('member', { name: visit.signedIn().name }));
}

export async function showMember(visit: Visit): Promise<Response> {
  const { parts } = visit;
  const member = await findMember(parts.sql, visit.param('name'));
  if (member === undefined) return await visit.notFound('No member has this name.');
  const isOwn = member.id === visit.signedIn().memberId;
  const isInside = isOwn || visit.may('administer');
  const { tracker } = visit.addresses;
  const main = profileMain({
    member,
    totals: await memberTotals(parts.sql, member.id),
    nowMs: visit.nowMs,
    isOwn,
    formerUrls: parts.addresses.former ?? [],
    isLocal: isLocalUrl(tracker.http) || isLocalUrl(tracker.udp),
    ...(isInside ? { inside: await insideOf(visit, member) } : {}),
    ...(isOwn ? { announceUrls: memberAnnounceUrls(tracker, member.passkey) } : {}),
    ...(visit.may('administer') && !isOwn
      ? { manageHref: hrefTo('consoleMember', { name: member.name }) }
      : {}),
  });
  return await visit.page({ title: member.name, main, section: isOwn ? 'me' : 'members' });
}

async function insideOf(visit: Visit, member: Member): Promise<ProfileInside> {
  const { sql, swarms } = visit.parts;
  const after = Number(/^\d{1,10}$/.exec(visit.query('after'))?.[0] ?? 0);
  const history = await memberHistory(sql, member.id, { limit: HISTORY_LINES + 1, after });
  const shown = history.slice(0, HISTORY_LINES);
  const last = shown.at(-1);
  const peers = swarms.peersOfMember(member.id, PEERS_MAX);
  const ids = peers.map((peer) => peer.torrentId);
  const more =
    history.length > HISTORY_LINES && last !== undefined
      ? `${hrefTo('member', { name: member.name }, { after: last.transfer.torrentId })}#history`
      : undefined;
  const nowMs = visit.nowMs;
  return {
    standing: await standingView(visit.parts, member, nowMs),
    memberClass: await classView(visit.parts, member, nowMs),
    days: await lastDays(sql, member.id, nowMs),
    milliPoints: await bonusBalance(sql, member.id),
    peers,
    torrents: await torrentNames(sql, ids),
    history: shown,
    ...(more === undefined ? {} : { moreHref: more }),
  };
}

export async function showPasskeyReset(visit: Visit): Promise<Response> {
  const main = passkeyResetMain(visit.csrfToken, visit.signedIn().name);
  return await visit.page({ title: 'Reset passkey', main, section: 'me' });
}

export async function postPasskeyReset(visit: Visit): Promise<Response> {
  const { name } = visit.signedIn();
  const member = await resetPasskey(visit.parts, name);
  if (member instanceof Refusal) return await visit.notFound(member.message);
  const text =
    'You have a new passkey. Download your torrents again, or put the new address into your clients.';
  return visit.redirect(hrefTo('member', { name }), { kind: 'good', text });
}

export async function showMembers(visit: Visit): Promise<Response> {
  const { sql } = visit.parts;
  const after = visit.query('after').slice(0, 64);
  const before = visit.query('before').slice(0, 64);
  const isBack = before !== '';
  const found = await listMembers(sql, {
    limit: MEMBERS_LINES + 1,
    ...(isBack ? { before } : after === '' ? {} : { after }),
  });
  const hasMore = found.length > MEMBERS_LINES;
  const members = !hasMore ? found : isBack ? found.slice(1) : found.slice(0, MEMBERS_LINES);
  const hasPrevious = isBack ? hasMore : after !== '';
  const hasNext = isBack || hasMore;
  const first = members.at(0)?.name;
  const last = members.at(-1)?.name;
  const main = membersMain({
    members,
    given: await totalsOfMembers(
      sql,
      members.map((member) => member.id),
    ),
    count: await countMembers(sql),
    nowMs: visit.nowMs,
    ...(hasPrevious && first !== undefined
      ? { previousHref: href('members', { before: first }) }
      : {}),
    ...(hasNext && last !== undefined ? { nextHref: href('members', { after: last }) } : {}),
  });
  return await visit.page({ title: 'Members', main, section: 'members' });
}
