// Handlers of profiles and of the list of members.

import { bonusBalance } from '#accounting/bonus/bonus.ts';
import { memberTotals, totalsOfMembers } from '#accounting/totals.ts';
import { isLocalUrl, memberAnnounceUrls } from '#site/announce-urls.ts';
import { classView } from '#site/classes/class-panel.ts';
import { listWarnings } from '#site/moderation/warnings.ts';
import {
  PROFILE_SECTIONS,
  type ProfileSection,
  shownBy,
  shownSections,
} from '#site/privacy/profile-sections.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import { standingView } from '#site/rules/standing-panel.ts';
import type { Visit } from '#site/visit.ts';
import { memberHistory, torrentNames } from './history.ts';
import { countMembers, findMember, listMembers, type Member, resetPasskey } from './members.ts';
import {
  membersMain,
  type ProfileJudged,
  type ProfileMoved,
  passkeyResetMain,
  profileMain,
} from './profile-views.ts';
import { spanOf, transferChart } from './transfer-chart.ts';

const HISTORY_LINES = 25;
const PEERS_MAX = 100;
const MEMBERS_LINES = 50;

export function showMe(visit: Visit): Response {
  return visit.redirect(hrefTo('member', { name: visit.signedIn().name }));
}

export async function showMember(visit: Visit): Promise<Response> {
  const { parts } = visit;
  visit.expectPage();
  const member = await findMember(parts.sql, visit.param('name'));
  if (member === undefined) return await visit.notFound('No member has this name.');
  const isOwn = member.id === visit.signedIn().memberId;
  const isInside = isOwn || visit.may('administer') || visit.may('moderate');
  const shown = isInside ? new Set(PROFILE_SECTIONS) : await shownBy(parts.sql, member.id);
  const { tracker } = visit.addresses;
  const [totals, moved, judged] = await Promise.all([
    memberTotals(parts.sql, member.id),
    movedOf(visit, member, shown),
    isInside ? judgedOf(visit, member) : undefined,
  ]);
  const main = profileMain({
    member,
    totals,
    nowMs: visit.nowMs,
    isOwn,
    formerUrls: parts.addresses.former ?? [],
    isLocal: isLocalUrl(tracker.http) || isLocalUrl(tracker.udp),
    shown,
    moved,
    ...(judged === undefined ? {} : { judged }),
    ...(isOwn ? { announceUrls: memberAnnounceUrls(tracker, member.passkey) } : {}),
    ...(isOwn ? {} : linksAbout(visit, member)),
  });
  return await visit.page({ title: member.name, main, section: isOwn ? 'me' : 'members' });
}

/** What the staff and others can do about somebody else. */
function linksAbout(visit: Visit, { id, name }: Member) {
  const manageHref = visit.may('administer')
    ? hrefTo('consoleMember', { name })
    : visit.may('moderate')
      ? hrefTo('consoleModeration', { name })
      : undefined;
  const reportHref = hrefTo('report', { kind: 'member', id });
  return { reportHref, ...(manageHref === undefined ? {} : { manageHref }) };
}

async function judgedOf({ parts, nowMs }: Visit, member: Member): Promise<ProfileJudged> {
  const [standing, memberClass, warnings, milliPoints] = await Promise.all([
    standingView(parts, member, nowMs),
    classView(parts, member, nowMs),
    listWarnings(parts.sql, member.id),
    bonusBalance(parts.sql, member.id),
  ]);
  return { standing, memberClass, warnings, milliPoints };
}

async function movedOf(
  visit: Visit,
  member: Member,
  shown: ReadonlySet<ProfileSection>,
): Promise<ProfileMoved> {
  const { sql, swarms } = visit.parts;
  const span = spanOf(visit.query('chart'));
  const after = Number(/^\d{1,10}$/.exec(visit.query('after'))?.[0] ?? 0);
  const peers = shown.has('clients') ? swarms.peersOfMember(member.id, PEERS_MAX) : [];
  const ids = peers.map((peer) => peer.torrentId);
  const [history, days, torrents] = await Promise.all([
    shown.has('history') ? memberHistory(sql, member.id, { limit: HISTORY_LINES + 1, after }) : [],
    shown.has('chart') ? transferChart(sql, member.id, { span, nowMs: visit.nowMs }) : [],
    torrentNames(sql, ids),
  ]);
  const lines = history.slice(0, HISTORY_LINES);
  const last = lines.at(-1);
  const more =
    history.length > HISTORY_LINES && last !== undefined
      ? `${hrefTo('member', { name: member.name }, { after: last.transfer.torrentId })}#history`
      : undefined;
  return {
    chart: { span, days },
    peers,
    torrents,
    history: lines,
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
  const ids = members.map((member) => member.id);
  const isStaff = visit.may('administer') || visit.may('moderate');
  const main = membersMain({
    members,
    given: await totalsOfMembers(sql, ids),
    shown: isStaff
      ? new Map(ids.map((id) => [id, new Set(PROFILE_SECTIONS)]))
      : new Map([
          ...(await shownSections(sql, ids)),
          [visit.signedIn().memberId, new Set(PROFILE_SECTIONS)],
        ]),
    count: await countMembers(sql),
    nowMs: visit.nowMs,
    ...(hasPrevious && first !== undefined
      ? { previousHref: href('members', { before: first }) }
      : {}),
    ...(hasNext && last !== undefined ? { nextHref: href('members', { after: last }) } : {}),
  });
  return await visit.page({ title: 'Members', main, section: 'members' });
}
