// The profile of a member, the list of members, and the page before a passkey is reset.

import { html } from 'hono/html';
import type { MemberTotals } from '#accounting/totals.ts';
import type { MemberAnnounceUrls } from '#site/announce-urls.ts';
import { type ClassView, classPanel } from '#site/classes/class-panel.ts';
import { badge } from '#site/components/badge.ts';
import { linkButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { facts, stats } from '#site/components/facts.ts';
import { bytes, date, meter, timeAgo } from '#site/components/figures.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { columns, pageHead } from '#site/components/page-head.ts';
import { pager } from '#site/components/pager.ts';
import { panel } from '#site/components/panel.ts';
import { reveal, secret } from '#site/components/secret.ts';
import { table } from '#site/components/table.ts';
import { formatBytes, formatBytesExact } from '#site/format/bytes.ts';
import { clientName, clientNameOf } from '#site/format/client.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { formatPoints } from '#site/format/points.ts';
import { ratioSentence } from '#site/format/ratio.ts';
import { formatDuration } from '#site/format/time.ts';
import { ownWarningsPanel } from '#site/moderation/own-warnings.ts';
import type { Warning } from '#site/moderation/warnings.ts';
import type { ProfileSection } from '#site/privacy/profile-sections.ts';
import { roleLabel } from '#site/roles/role-words.ts';
import { href, hrefTo } from '#site/routes.ts';
import {
  bufferStats,
  obligationsPanel,
  type StandingView,
  standingPanel,
} from '#site/rules/standing-panel.ts';
import type { SwarmPeer } from '#site/swarms.ts';
import type { HistoryLine, TorrentName } from './history.ts';
import type { Member } from './members.ts';
import { chartPanel, type ShownChart } from './transfer-chart-panel.ts';

export interface ProfileView {
  readonly member: Member;
  readonly totals: MemberTotals;
  readonly nowMs: number;
  /** The profile is the reader's own. */
  readonly isOwn: boolean;
  /** What the reader may see: the member and the staff everything. */
  readonly shown: ReadonlySet<ProfileSection>;
  /** Present for the member and for the staff: what is nobody else's business. */
  readonly judged?: ProfileJudged;
  readonly moved: ProfileMoved;
  /** Present for the member alone. */
  readonly announceUrls?: MemberAnnounceUrls;
  /** Where the tracker was reached before, and still is. */
  readonly formerUrls: readonly string[];
  /** The announce URLs lead to this machine only. */
  readonly isLocal: boolean;
  /** Where an admin manages this member. */
  readonly manageHref?: string;
  /** Where this member is reported to the staff. */
  readonly reportHref?: string;
}

export interface ProfileJudged {
  readonly standing: StandingView;
  /** Undefined where there is one class only. */
  readonly memberClass: ClassView | undefined;
  readonly warnings: readonly Warning[];
  /** Bonus points in thousandths. */
  readonly milliPoints: number;
}

/** What of it is not shown is empty. */
export interface ProfileMoved {
  readonly chart: ShownChart;
  readonly peers: readonly SwarmPeer[];
  readonly torrents: ReadonlyMap<number, TorrentName>;
  readonly history: readonly HistoryLine[];
  /** Where the history goes on. */
  readonly moreHref?: string;
}

export function profileMain(view: ProfileView): Html {
  const { member, totals, isOwn, judged, moved, shown } = view;
  const ratio = {
    uploadedBytes: totals.creditedUploadedBytes,
    downloadedBytes: totals.creditedDownloadedBytes,
  };
  const head = pageHead({
    title: html`${member.name} ${roleBadges(member)}`,
    ...(shown.has('totals')
      ? { lead: ratioSentence(ratio, isOwn ? 'you' : { name: member.name }) }
      : {}),
    actions: [
      ...(view.reportHref === undefined
        ? []
        : [linkButton({ label: 'Report', href: view.reportHref, kind: 'quiet' })]),
      ...(view.manageHref === undefined
        ? []
        : [linkButton({ label: 'Manage member', href: view.manageHref })]),
    ],
  });
  const main = html`${shown.has('totals') ? movedStats(totals, judged) : NOTHING}${judged === undefined ? NOTHING : obligationsPanel(judged.standing)}${chartPanel(moved.chart, { name: member.name, hasMoved: totals.uploadedBytes + totals.downloadedBytes > 0 })}${shown.has('clients') ? peersPanel(moved, view) : NOTHING}${shown.has('history') ? historyPanel(moved, view) : NOTHING}${isAllHidden(view) ? hiddenNote(member.name) : NOTHING}`;
  return html`${head}${columns(main, sidePanels(view))}`;
}

function isAllHidden({ shown }: ProfileView): boolean {
  return !['totals', 'chart', 'clients', 'history'].some((one) => shown.has(one as ProfileSection));
}

function hiddenNote(name: string): Html {
  return emptyState({
    title: 'Nothing is shown here',
    text: `${name} keeps to themselves what they give and take.`,
    icon: 'people',
  });
}

function roleBadges(member: Member): Html {
  return html`${member.role === 'member' ? NOTHING : badge('accent', roleLabel(member.role))}${member.state === 'banned' ? badge('bad', 'Banned') : NOTHING}`;
}

function movedStats(totals: MemberTotals, judged: ProfileJudged | undefined): Html {
  const real = (credited: number, moved: number): string =>
    moved === 0
      ? 'nothing yet'
      : credited === moved
        ? 'all of it counts'
        : `${formatBytes(moved)} moved`;
  const free =
    totals.freeBytes === 0
      ? ''
      : `; ${formatBytes(totals.freeBytes)} came from the archive and do not count`;
  return stats([
    {
      label: 'Given',
      value: bytes(totals.creditedUploadedBytes),
      note: real(totals.creditedUploadedBytes, totals.uploadedBytes),
    },
    {
      label: 'Taken',
      value: bytes(totals.creditedDownloadedBytes),
      note: `${real(totals.creditedDownloadedBytes, totals.downloadedBytes)}${free}`,
    },
    ...(judged === undefined ? [] : bufferStats(judged.standing)),
    { label: 'Completed', value: formatCount(totals.completed), note: 'torrents' },
    {
      label: 'Seeded',
      value: formatDuration(totals.seedSeconds * 1000),
      note: 'over all torrents',
    },
  ]);
}

function peersPanel(inside: ProfileMoved, view: ProfileView): Html {
  const { peers } = inside;
  const body =
    peers.length === 0
      ? emptyState({
          title: 'No client is active',
          text: view.isOwn
            ? 'Download a torrent and open it in your client; it appears here as soon as it announces.'
            : `${view.member.name} is not in any swarm right now.`,
          icon: 'up',
          ...(view.isOwn
            ? { action: linkButton({ label: 'Find a torrent', href: href('torrents') }) }
            : {}),
        })
      : table({
          caption: 'Active clients',
          rows: peers,
          columns: [
            {
              label: 'Torrent',
              kind: 'title',
              cell: (peer) => torrentLink(inside.torrents.get(peer.torrentId), peer.torrentId),
            },
            { label: 'Client', cell: (peer) => clientName(peer.peerId) },
            { label: 'Network', cell: familiesOf },
            {
              label: 'Has',
              cell: (peer) => progressOf(peer, inside.torrents.get(peer.torrentId)?.sizeBytes),
            },
            {
              label: 'Seen',
              kind: 'figure',
              cell: (peer) => timeAgo(peer.lastSeenSeconds * 1000, view.nowMs),
            },
          ],
        });
  return panel({ title: 'Active now', aside: plural(peers.length, 'client'), body, flush: true });
}

function familiesOf(peer: SwarmPeer): string {
  const families = [peer.ipv4 && 'IPv4', peer.ipv6 && 'IPv6'].filter(Boolean);
  return families.length === 0 ? 'none' : families.join(' and ');
}

function progressOf(peer: SwarmPeer, sizeBytes: number | undefined): Html {
  if (peer.state === 'seeder') return meter({ part: 1, label: 'Has', kind: 'good' });
  if (sizeBytes === undefined || sizeBytes === 0 || peer.left > sizeBytes) {
    return html`${peer.state === 'leecher' ? 'some of it' : 'what it wants'}`;
  }
  return meter({ part: 1 - peer.left / sizeBytes, label: 'Has' });
}

function historyPanel(inside: ProfileMoved, view: ProfileView): Html {
  const { history } = inside;
  const body =
    history.length === 0
      ? emptyState({
          title: 'Nothing was moved yet',
          text: 'What was given and taken is listed here for each torrent, a second after a client announces it.',
          ...(view.isOwn
            ? { action: linkButton({ label: 'Look at torrents', href: href('torrents') }) }
            : {}),
        })
      : table({
          caption: 'Transfers per torrent',
          rows: history,
          columns: [
            {
              label: 'Torrent',
              kind: 'title',
              cell: ({ torrent, transfer }) =>
                html`${torrentLink(torrent, transfer.torrentId)}<div class="under">${historyUnder(transfer)}</div>`,
            },
            { label: 'Given', kind: 'figure', cell: (line) => bytes(line.transfer.uploadedBytes) },
            {
              label: 'Taken',
              kind: 'figure',
              cell: (line) => bytes(line.transfer.downloadedBytes),
            },
            {
              label: 'Seeded',
              kind: 'figure',
              cell: (line) => formatDuration(line.transfer.seedSeconds * 1000),
            },
            {
              label: 'Last seen',
              kind: 'figure',
              cell: (line) => timeAgo(line.transfer.lastSeenMs, view.nowMs),
            },
          ],
        });
  const more =
    inside.moreHref === undefined
      ? NOTHING
      : html`<div class="panel-body">${linkButton({ label: 'Show more torrents', href: inside.moreHref })}</div>`;
  return panel({ title: 'History', body: html`${body}${more}`, flush: true, id: 'history' });
}

function historyUnder(transfer: HistoryLine['transfer']): Html {
  const state =
    transfer.completedMs !== undefined
      ? badge('good', 'Completed')
      : transfer.leftBytes === 0
        ? badge('good', 'Complete from the start')
        : badge('plain', 'Not complete');
  const counted =
    transfer.creditedUploadedBytes === transfer.uploadedBytes &&
    transfer.creditedDownloadedBytes === transfer.downloadedBytes
      ? ''
      : ` counted as ${formatBytes(transfer.creditedUploadedBytes)} given, ${formatBytes(transfer.creditedDownloadedBytes)} taken`;
  return html`${state} ${clientNameOf(transfer.client)}${counted}`;
}

function torrentLink(torrent: TorrentName | undefined, id: number): Html {
  if (torrent === undefined)
    return html`<span class="muted">Torrent ${id}, not in the catalogue</span>`;
  if (torrent.infoHash === undefined)
    return html`${torrent.title} <span class="muted">(removed)</span>`;
  return html`<a href="${hrefTo('torrent', { hash: torrent.infoHash })}">${torrent.title}</a>`;
}

function sidePanels(view: ProfileView): Html {
  const { member, nowMs } = view;
  const about = panel({
    title: 'About',
    body: facts([
      { term: 'Role', value: roleLabel(member.role) },
      { term: 'Joined', value: date(member.createdMs) },
      ...(view.shown.has('visits')
        ? [
            {
              term: 'Last visit',
              value: member.seenMs === undefined ? 'never' : timeAgo(member.seenMs, nowMs),
            },
          ]
        : []),
      ...(member.state === 'banned' ? [{ term: 'Banned', value: member.reason }] : []),
    ]),
  });
  const { totals } = view;
  const exact = panel({
    title: 'To the byte',
    body: facts(
      [
        { term: 'Given', value: formatBytesExact(totals.uploadedBytes) },
        { term: 'of it counted', value: formatBytesExact(totals.creditedUploadedBytes) },
        { term: 'Taken', value: formatBytesExact(totals.downloadedBytes) },
        { term: 'of it counted', value: formatBytesExact(totals.creditedDownloadedBytes) },
      ],
      { figures: true },
    ),
  });
  return html`${view.announceUrls === undefined ? NOTHING : announcePanel(view.announceUrls, view)}${view.judged === undefined ? NOTHING : html`${standingPanel(view.judged.standing)}${ownWarningsPanel(view.judged.warnings, nowMs)}${classPanel(view.judged.memberClass, view.isOwn)}${bonusPanel(view.judged, view.isOwn)}`}${about}${view.shown.has('totals') ? exact : NOTHING}`;
}

function bonusPanel({ milliPoints }: ProfileJudged, isOwn: boolean): Html {
  const more = isOwn ? html` <a href="${href('bonus')}">Where from, and what for</a>` : NOTHING;
  return panel({ title: 'Bonus', body: html`<p>${formatPoints(milliPoints)} points.${more}</p>` });
}

function announcePanel(
  urls: MemberAnnounceUrls,
  { isLocal, formerUrls }: Pick<ProfileView, 'isLocal' | 'formerUrls'>,
): Html {
  const lines = [
    ['HTTP', urls.http],
    ['UDP', urls.udp],
    ['WebSocket', urls.ws],
  ] as const;
  const items = lines.map(([name, url]) =>
    url === undefined
      ? NOTHING
      : html`<div class="stack-tight"><h3>${name}</h3>${secret(url)}</div>`,
  );
  const warning = isLocal
    ? notice(
        'warn',
        'These addresses work on the server itself only. An admin sets public ones in the console.',
      )
    : NOTHING;
  return panel({
    title: 'Announce address',
    body: html`${movedNotice(formerUrls)}<p class="small muted">Every .torrent you download has it inside. It holds your passkey: whoever knows it announces as you.</p>${reveal('Show my announce address', html`${items}${warning}`)}<div class="row">${linkButton({ label: 'Reset passkey', href: href('passkeyReset'), kind: 'danger', small: true })}${linkButton({ label: 'Keys of your downloads', href: href('downloadKeys'), small: true })}${linkButton({ label: 'Test my port', href: href('portTest'), small: true })}</div>`,
    id: 'announce',
  });
}

/** Clients that speak UDP are not told by the tracker, so everybody is told here. */
function movedNotice(formerUrls: readonly string[]): Html {
  if (formerUrls.length === 0) return NOTHING;
  const names = html`${formerUrls.map((url, at) => html`${at === 0 ? '' : ', '}<code>${url}</code>`)}`;
  return notice(
    'warn',
    html`The tracker has a new address. Clients that announce to ${names} are still served: put the address below into them, or download their torrents again.`,
  );
}

export function passkeyResetMain(csrf: string, name: string): Html {
  return confirmation({
    question: 'Reset your passkey?',
    consequence: html`<p>Your clients stop being served within a second, in every torrent, until they have a .torrent or an announce address with the new passkey. What you gave and took stays yours.</p><p>Do this when somebody else may know your passkey. There is no way back to the old one.</p>`,
    action: href('passkeyReset'),
    csrf,
    confirmLabel: 'Reset passkey',
    cancelHref: `${hrefTo('member', { name })}#announce`,
  });
}

export interface MembersView {
  readonly members: readonly Member[];
  readonly given: ReadonlyMap<
    number,
    { readonly creditedUploadedBytes: number; readonly creditedDownloadedBytes: number }
  >;
  /** What each of them shows to the reader. */
  readonly shown: ReadonlyMap<number, ReadonlySet<ProfileSection>>;
  readonly count: number;
  readonly nowMs: number;
  readonly previousHref?: string;
  readonly nextHref?: string;
}

export function membersMain(view: MembersView): Html {
  const lines = table({
    caption: 'Members by name',
    rows: view.members,
    columns: [
      {
        label: 'Name',
        kind: 'title',
        cell: (member) =>
          html`<a href="${hrefTo('member', { name: member.name })}">${member.name}</a> ${roleBadges(member)}`,
      },
      {
        label: 'Given',
        kind: 'figure',
        cell: (member) =>
          unlessKept(view, member.id, 'totals', () =>
            bytes(view.given.get(member.id)?.creditedUploadedBytes ?? 0),
          ),
      },
      {
        label: 'Taken',
        kind: 'figure',
        cell: (member) =>
          unlessKept(view, member.id, 'totals', () =>
            bytes(view.given.get(member.id)?.creditedDownloadedBytes ?? 0),
          ),
      },
      { label: 'Joined', kind: 'figure', cell: (member) => date(member.createdMs) },
      {
        label: 'Last visit',
        kind: 'figure',
        cell: (member) =>
          unlessKept(view, member.id, 'visits', () =>
            member.seenMs === undefined ? 'never' : timeAgo(member.seenMs, view.nowMs),
          ),
      },
    ],
  });
  return html`${pageHead({ title: 'Members', lead: plural(view.count, 'member') })}${lines}${pager({
    ...(view.previousHref === undefined ? {} : { previousHref: view.previousHref }),
    ...(view.nextHref === undefined ? {} : { nextHref: view.nextHref }),
    summary: `${view.members.length} of ${formatCount(view.count)}, by name`,
  })}`;
}

function unlessKept(
  { shown }: MembersView,
  memberId: number,
  section: ProfileSection,
  cell: () => string | Html,
): string | Html {
  const isShown = shown.get(memberId)?.has(section) === true;
  return isShown ? cell() : html`<span class="muted">not shown</span>`;
}
