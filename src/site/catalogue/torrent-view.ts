// The page of one torrent: who keeps it alive, what to do, what it is, its files, who is there, and
// the reader's own transfer.

import { html } from 'hono/html';
import type { MemberTransfer } from '#accounting/totals.ts';
import { bytesEqual } from '#base/bytes.ts';
import { badgeLink, healthSentence } from '#site/components/badge.ts';
import { linkButton } from '#site/components/button.ts';
import { facts } from '#site/components/facts.ts';
import { bytes, bytesBoth, meter, timeAgo, timeBoth } from '#site/components/figures.ts';
import { icon } from '#site/components/icon.ts';
import { liveText } from '#site/components/live.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { columns, pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { type TreeNode, tree } from '#site/components/tree.ts';
import { coverBeside } from '#site/covers/cover-pages.ts';
import type { Cover } from '#site/covers/covers.ts';
import { type CreditNow, creditNotice } from '#site/credit/credit-notice.ts';
import type { FolderRow } from '#site/folders/folder-rows.ts';
import { folderList } from '#site/folders/folder-view.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { markdown } from '#site/format/markdown.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { formatRatio } from '#site/format/ratio.ts';
import { formatDuration } from '#site/format/time.ts';
import { previewsPanel, type ShownPreviews } from '#site/previews/preview-pages.ts';
import { href, hrefTo } from '#site/routes.ts';
import { type SwarmHistory, swarmHistoryPanel } from '#site/series/series-panels.ts';
import type { SwarmCounts, SwarmPeer } from '#site/swarms.ts';
import { clientName } from '#wire/peer-id.ts';
import { archivePanel, type Keeping } from './archive-panel.ts';
import type { FileNode } from './file-page.ts';
import type { Torrent } from './find-torrent.ts';
import { myStateBadge } from './list-view.ts';
import { type MyState, partHad } from './my-state.ts';
import type { Replacements } from './replacements.ts';

/** All of a torrent's files, or the largest when they are too many for one page. */
export type TorrentFiles =
  | { readonly nodes: readonly FileNode[] }
  | { readonly largest: readonly FolderRow[] };

export interface TorrentPage {
  readonly torrent: Torrent;
  /** Undefined when their account is gone, or the operator added it. */
  readonly uploader: string | undefined;
  readonly isUploader: boolean;
  readonly mayChange: boolean;
  readonly mayDownload: boolean;
  /** The operator allows magnet links. */
  readonly hasMagnet: boolean;
  readonly live: SwarmCounts;
  readonly peers: readonly SwarmPeer[];
  /** By which the archive is known among them. */
  readonly archivePeerId: Uint8Array;
  readonly files: TorrentFiles;
  readonly mine: MyState;
  readonly transfer: MemberTransfer | undefined;
  /** What counts for the reader now; undefined when everything does in full. */
  readonly credit: CreditNow | undefined;
  /** That the reader can spend. */
  readonly tokens: number;
  readonly mayOpenCredit: boolean;
  readonly history: SwarmHistory;
  readonly archive: Keeping;
  readonly replacements: Replacements;
  readonly previews: ShownPreviews;
  readonly cover: Cover | undefined;
  /** What members say of it and do with it. */
  readonly community: { readonly actions: readonly Html[]; readonly main: Html };
  /** What became of it, the newest of it. */
  readonly past: Html;
  readonly nowMs: number;
}

export function torrentView(page: TorrentPage): Html {
  const { torrent } = page;
  const isRemoved = torrent.removedMs !== undefined;
  const head = pageHead({
    title: torrent.title,
    lead: isRemoved ? NOTHING : verdict(page),
    crumbs: [
      { label: 'Torrents', href: href('torrents') },
      { label: torrent.categoryName, href: href('torrents', { category: torrent.category }) },
    ],
    actions: isRemoved ? [] : actions(page),
  });
  const isGiven = page.archive.download !== undefined;
  const gallery = previewsPanel(torrent.infoHash, page.previews, isGiven);
  const main = html`${descriptionPanel(page)}${gallery}${filesPanel(page)}${isRemoved ? NOTHING : html`${peersPanel(page)}${swarmHistoryPanel(page.history, page.nowMs)}`}${page.past}${page.community.main}`;
  const side = html`${isRemoved ? NOTHING : html`${minePanel(page)}${archivePanel(page.archive, page.nowMs)}`}${factsPanel(page)}`;
  return html`${head}${notices(page)}${isRemoved ? NOTHING : creditNotice(page.credit, page.nowMs)}${columns(main, side)}`;
}

function actions(page: TorrentPage): readonly Html[] {
  const { torrent, mayChange, mayDownload, credit, tokens } = page;
  const hash = torrent.infoHash;
  const all: Html[] = [];
  if (mayDownload) {
    all.push(
      linkButton({
        label: html`${icon('down')} Download .torrent`,
        href: hrefTo('torrentDownload', { hash }),
        kind: 'primary',
      }),
    );
  }
  if (mayDownload && page.hasMagnet) {
    all.push(linkButton({ label: 'Magnet link', href: hrefTo('torrentMagnet', { hash }) }));
  }
  if (mayDownload && tokens > 0 && credit?.credit.downloadCreditPercent !== 0) {
    all.push(linkButton({ label: 'Use a token', href: hrefTo('torrentToken', { hash }) }));
  }
  all.push(...page.community.actions);
  if (page.mayOpenCredit) {
    all.push(linkButton({ label: 'Freeleech', href: hrefTo('torrentCredit', { hash }) }));
  }
  if (mayChange) {
    all.push(
      linkButton({ label: 'Edit', href: hrefTo('torrentEdit', { hash }) }),
      linkButton({ label: 'Remove', href: hrefTo('torrentRemove', { hash }), kind: 'danger' }),
    );
  }
  return all;
}

/** Who keeps it alive: the word, the counts, and what follows from them. */
function verdict(page: TorrentPage): Html {
  const { torrent, live, peers, archivePeerId, archive, nowMs } = page;
  const own = peers.filter((peer) => bytesEqual(peer.peerId, archivePeerId)).length;
  const others = { ...live, seeders: Math.max(0, live.seeders - own) };
  const lastSeedMs = Math.max(
    0,
    ...peers.filter((peer) => peer.state === 'seeder').map((peer) => peer.lastSeenSeconds * 1000),
  );
  const seen = lastSeedMs === 0 ? NOTHING : html` Last seeder seen ${timeAgo(lastSeedMs, nowMs)}.`;
  const isKept = archive.health?.damagedSegments === 0;
  const id = { torrentId: torrent.id };
  const words = liveText(isKept ? 'k' : 'v', id, verdictWords(others, isKept));
  return html`<p>${healthSentence(live, id)}</p><p>${words}${seen}</p>`;
}

/** `isKept`: the archive has all of it. */
export function verdictWords({ seeders, leechers }: SwarmCounts, isKept = false): string {
  if (seeders > 1) return `${formatCount(seeders)} clients keep all of it alive.`;
  if (isKept && seeders === 1) return 'One client and the archive keep all of it alive.';
  if (isKept) return 'The archive alone has all of it now, and gives it.';
  if (seeders === 1) return 'One client alone keeps it alive. Another seeder would make it safe.';
  if (leechers > 0) {
    return `Nobody here has all of it. ${plural(leechers, 'client')} may have parts and wait for a seeder.`;
  }
  return 'No client is here. Whoever has the files can bring it back by seeding.';
}

function notices(page: TorrentPage): Html {
  const { torrent, isUploader, live, mayDownload } = page;
  if (torrent.removedMs !== undefined) {
    const words = html`<strong>This torrent was removed</strong>${torrent.removedReason} <span class="muted">${timeAgo(torrent.removedMs, page.nowMs)}</span>. Trackers refuse it; what was moved still counts.${replacedBy(page.replacements)}`;
    return html`<div class="flashes">${notice('bad', words)}</div>`;
  }
  if (!isUploader || live.seeders > 0 || !mayDownload) return NOTHING;
  const download = linkButton({
    label: html`${icon('down')} ${torrent.uploadNotes.length > 0 ? 'Download the new file' : 'Download the file with your announce address'}`,
    href: hrefTo('torrentDownload', { hash: torrent.infoHash }),
    kind: 'primary',
  });
  const body =
    torrent.uploadNotes.length > 0
      ? html`<strong>Seed with the new file, not with the one you uploaded</strong><ul>${torrent.uploadNotes.map((note) => html`<li>${note}</li>`)}</ul><div class="row">${download}</div>`
      : html`<strong>Now seed it</strong><p>Nobody has it but you. Open the file from here in your client, next to the content, and let it announce.</p><div class="row">${download}</div>`;
  return html`<div class="flashes">${notice('info', body)}</div>`;
}

function replacedBy({ replacedBy: other }: Replacements): Html {
  if (other === undefined) return NOTHING;
  return html` The new one is <a href="${hrefTo('torrent', { hash: other.infoHash })}">${other.title}</a>.`;
}

function descriptionPanel({ torrent, cover }: TorrentPage): Html {
  const { description, tags, title, infoHash } = torrent;
  const text =
    description === ''
      ? html`<p class="muted">The uploader wrote nothing about it.</p>`
      : html`<div class="markdown prose">${markdown(description)}</div>`;
  const list = tags.map((tag) => html`<li>${badgeLink(tag, href('torrents', { tags: tag }))}</li>`);
  const chips =
    tags.length === 0 ? NOTHING : html`<ul class="chips" aria-label="Tags">${list}</ul>`;
  const body = coverBeside(infoHash, { title, cover }, html`${text}${chips}`);
  return panel({ title: 'Description', body });
}

function filesPanel({ torrent, files, archive }: TorrentPage): Html {
  const hash = torrent.infoHash;
  const isGiven = archive.download !== undefined;
  const browse = linkButton({
    label: html`${icon('folder')} Browse all ${formatCount(torrent.fileCount)} files`,
    href: hrefTo('torrentFiles', { hash }),
  });
  const body =
    'nodes' in files
      ? tree({
          nodes: treeNodes(hash, files.nodes, isGiven),
          openDepth: torrent.fileCount > 40 ? 1 : 3,
        })
      : html`<p class="muted">The largest of what it has:</p>${folderList(hash, files.largest, isGiven)}<div class="row">${browse}</div>`;
  return panel({
    title: 'Files',
    id: 'files',
    aside: html`${plural(torrent.fileCount, 'file')}, ${bytes(torrent.sizeBytes)}`,
    body,
  });
}

/** Files lead to their content where the archive gives it. */
function treeNodes(
  hash: string,
  nodes: readonly FileNode[],
  isGiven: boolean,
): readonly TreeNode[] {
  if (!isGiven) return nodes;
  return nodes.map((node) =>
    node.children === undefined
      ? { ...node, href: hrefTo('torrentContent', { hash, entry: node.position }) }
      : { ...node, children: treeNodes(hash, node.children, isGiven) },
  );
}

function peersPanel({ torrent, peers, archivePeerId, live, nowMs }: TorrentPage): Html {
  const count = live.seeders + live.leechers;
  const aside =
    peers.length < count ? `${formatCount(peers.length)} of ${formatCount(count)} shown` : '';
  if (peers.length === 0) {
    const body = html`<p class="muted">No client is here right now. Clients appear as soon as they announce.</p>`;
    return panel({ title: 'Clients', id: 'peers', body });
  }
  const words = ({ peerId }: SwarmPeer): string =>
    bytesEqual(peerId, archivePeerId) ? 'The archive' : clientWords(peerId);
  const body = table({
    caption: 'Clients in this swarm',
    rows: peers,
    columns: [
      { label: 'Client', kind: 'title', cell: words },
      { label: 'Has', cell: (peer) => progress(torrent, peer) },
      { label: 'Given', kind: 'figure', cell: (peer) => bytes(peer.uploaded) },
      { label: 'Taken', kind: 'figure', cell: (peer) => bytes(peer.downloaded) },
      { label: 'Network', cell: families },
      {
        label: 'Last seen',
        kind: 'figure',
        cell: (peer) => timeAgo(peer.lastSeenSeconds * 1000, nowMs),
      },
    ],
  });
  return panel({ title: 'Clients', id: 'peers', aside, body, flush: true });
}

export function clientWords(peerId: Uint8Array): string {
  const { name, version, prefix } = clientName(peerId);
  if (name === 'Unknown') return prefix === '' ? 'Unknown client' : `Unknown client ${prefix}`;
  return `${name} ${version}`.trim();
}

function progress(torrent: Torrent, peer: SwarmPeer): Html {
  const part = partHad(torrent.sizeBytes, peer.left);
  const kind = peer.state === 'leecher' ? 'accent' : 'good';
  return meter({ part, label: peer.state === 'leecher' ? 'Downloaded' : 'Seeding', kind });
}

function families({ ipv4, ipv6 }: SwarmPeer): string {
  if (ipv4 !== undefined && ipv6 !== undefined) return 'IPv4 and IPv6';
  return ipv6 !== undefined ? 'IPv6' : 'IPv4';
}

function minePanel({ mine, transfer, nowMs, torrent }: TorrentPage): Html {
  const state = mine.kind === 'never' ? NOTHING : html`<p>${myStateBadge(mine)}</p>`;
  if (transfer === undefined) {
    const words =
      mine.kind === 'never'
        ? 'You have not taken part in this torrent. Download the .torrent file and open it in your client.'
        : 'Your client is here. Its first report is on the way to the ledger.';
    return panel({
      title: 'You and this torrent',
      body: html`${state}<p class="muted">${words}</p>`,
    });
  }
  const { uploadedBytes, downloadedBytes, creditedUploadedBytes, creditedDownloadedBytes } =
    transfer;
  const isCredited =
    creditedUploadedBytes !== uploadedBytes || creditedDownloadedBytes !== downloadedBytes;
  const body = html`${state}<p>${shareSentence(transfer, torrent)}</p>${facts(
    [
      { term: 'Given', value: bytes(uploadedBytes) },
      { term: 'Taken', value: bytes(downloadedBytes) },
      ...(isCredited
        ? [
            { term: 'Counted as given', value: bytes(creditedUploadedBytes) },
            { term: 'Counted as taken', value: bytes(creditedDownloadedBytes) },
          ]
        : []),
      {
        term: 'Time seeded',
        value: transfer.seedSeconds > 0 ? formatDuration(transfer.seedSeconds * 1000) : 'none yet',
      },
      {
        term: 'Completed',
        value:
          transfer.completedMs === undefined ? 'not here' : timeAgo(transfer.completedMs, nowMs),
      },
      { term: 'Last announce', value: timeAgo(transfer.lastSeenMs, nowMs) },
    ],
    { figures: true },
  )}`;
  return panel({ title: 'You and this torrent', body });
}

/** What was given here, measured by the torrent's size, which needs no download to mean something. */
function shareSentence(transfer: MemberTransfer, torrent: Torrent): string {
  const { uploadedBytes, downloadedBytes } = transfer;
  if (uploadedBytes === 0 && downloadedBytes === 0) return 'Nothing has moved yet.';
  if (uploadedBytes === 0)
    return `You have taken ${formatBytes(downloadedBytes)} and given nothing yet.`;
  if (downloadedBytes === 0) {
    return `You have given ${formatRatio(uploadedBytes / torrent.sizeBytes)} times its size to others.`;
  }
  return `You have given ${formatRatio(uploadedBytes / downloadedBytes)} times what you took.`;
}

function factsPanel(page: TorrentPage): Html {
  const { torrent, uploader, live, nowMs } = page;
  const pieces = Math.ceil(torrent.sizeBytes / torrent.pieceLength);
  const by =
    uploader === undefined
      ? 'the operator or a former member'
      : html`<a href="${hrefTo('member', { name: uploader })}">${uploader}</a>`;
  const { infoHashV1: v1, infoHashV2: v2 } = torrent;
  const version = v1 === undefined ? 'v2' : v2 === undefined ? 'v1' : 'hybrid of v1 and v2';
  const body = facts([
    { term: 'Size', value: bytesBoth(torrent.sizeBytes) },
    { term: 'Added', value: timeBoth(torrent.createdMs, nowMs) },
    { term: 'By', value: by },
    { term: 'Completed', value: plural(live.completed, 'time') },
    { term: 'Name', value: torrent.name },
    { term: 'Pieces', value: html`${formatCount(pieces)} of ${formatBytes(torrent.pieceLength)}` },
    { term: 'Kind', value: version },
    { term: 'Source', value: torrent.source === '' ? 'none' : torrent.source },
    ...page.replacements.replaces.map((other) => ({
      term: 'Replaces',
      value: html`<a href="${hrefTo('torrent', { hash: other.infoHash })}">${other.title}</a>`,
    })),
    ...(v1 === undefined ? [] : [{ term: 'Info hash', value: html`<code>${v1}</code>` }]),
    ...(v2 === undefined ? [] : [{ term: 'Info hash v2', value: html`<code>${v2}</code>` }]),
  ]);
  return panel({ title: 'Facts', body });
}
