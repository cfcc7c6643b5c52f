// The page of one's own download keys.

import { html } from 'hono/html';
import { linkButton, submitButton } from '#site/components/button.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { timeAgo } from '#site/components/figures.ts';
import { postForm } from '#site/components/form.ts';
import type { Html } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { table } from '#site/components/table.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { DownloadKey } from './download-keys.ts';
import type { TorrentName } from './history.ts';

export interface DownloadKeysView {
  readonly keys: readonly DownloadKey[];
  readonly torrents: ReadonlyMap<number, TorrentName>;
  /** Downloads get such keys at present. */
  readonly isOn: boolean;
  readonly csrf: string;
  readonly nowMs: number;
}

/** Enough to recognise a key in a .torrent file, too little to use it. */
const SHOWN_CHARACTERS = 6;

export function downloadKeysMain(view: DownloadKeysView): Html {
  const { keys, torrents, csrf, nowMs } = view;
  const titleOf = (key: DownloadKey): string => torrents.get(key.torrentId)?.title ?? 'a torrent';
  const list =
    keys.length === 0
      ? emptyState({
          title: 'No keys yet',
          text: view.isOn
            ? 'Each .torrent that you download from now on has one.'
            : 'The .torrent files of this site carry your passkey.',
          icon: 'info',
          action: linkButton({ label: 'Look at torrents', href: href('torrents') }),
        })
      : table({
          caption: 'Keys in the .torrent files that you downloaded',
          rows: keys,
          columns: [
            { label: 'Torrent', kind: 'title', cell: titleOf },
            {
              label: 'Key',
              cell: (key) => html`<span class="mono">${key.key.slice(0, SHOWN_CHARACTERS)}…</span>`,
            },
            { label: 'Made', kind: 'figure', cell: (key) => timeAgo(key.createdMs, nowMs) },
            {
              label: 'Actions',
              kind: 'actions',
              cell: (key) =>
                postForm({
                  action: hrefTo('downloadKeyRevoke', { id: key.id }),
                  csrf,
                  inline: true,
                  body: submitButton({ label: 'Revoke', about: titleOf(key), small: true }),
                }),
            },
          ],
        });
  const head = pageHead({
    title: 'Keys of your downloads',
    lead: 'Each is good for one torrent and says that it is yours. Revoke one whose .torrent somebody else has: its clients leave at once, your others go on.',
  });
  return html`${head}${list}`;
}
