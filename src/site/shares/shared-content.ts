// What somebody with a link sees and takes: the page of a share, its folders, its downloads. Whoever has
// no account is nobody here but the link they came with, so all they name is looked for below what is
// shared. The same page is JSON for programs that ask for it.

import { createHmac } from 'node:crypto';
import { TOP } from '#archive/downloads/content-tree.ts';
import type { Grant } from '#archive/downloads/granted-body.ts';
import { utf8 } from '#base/bytes.ts';
import { secretEqual } from '#base/secret-equal.ts';
import { NO_PARENT } from '#site/catalogue/file-entries.ts';
import { findTorrent, type Torrent } from '#site/catalogue/find-torrent.ts';
import { downloadRequest, downloadResponse } from '#site/downloads/download-response.ts';
import { type FolderRow, folderPage, folderRow, wayTo } from '#site/folders/folder-rows.ts';
import { addressKey } from '#site/rate-limit.ts';
import { hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { sharedJson, sharedMain, unlockMain } from './shared-views.ts';
import {
  findOpenShare,
  giveBackDownload,
  isShareOpen,
  type Share,
  stateOf,
  takeDownload,
} from './shares.ts';

const OVER_WORDS =
  'The link is over, was revoked, or has a mistake in it. Ask whoever sent it for another one.';

/** A share with what it leads to. */
export interface Shared {
  readonly share: Share;
  readonly token: string;
  readonly torrent: Torrent;
  /** The file or folder; undefined when all of the torrent is shared. */
  readonly root: FolderRow | undefined;
}

export async function sharePage(visit: Visit): Promise<Response> {
  const shared = await sharedOf(visit);
  if (shared === undefined) return await visit.notFound(OVER_WORDS);
  if (!(await isUnlocked(visit, shared))) return await askPassword(visit, shared);
  const here = await placeOf(visit, shared, visit.query('in'));
  if (here === 'elsewhere') return await visit.notFound();
  const { sql } = visit.parts;
  const isFile = here?.isFolder === false;
  const order = visit.query('sort') === 'size' ? 'size' : 'name';
  const page = isFile
    ? { rows: [here], hasPrevious: false, hasNext: false }
    : await folderPage(sql, {
        torrentId: shared.torrent.id,
        folder: here?.position ?? NO_PARENT,
        order,
        after: numberOf(visit.query('after')),
        before: numberOf(visit.query('before')),
      });
  const way = here === undefined ? [] : await wayTo(sql, shared.torrent.id, here);
  const view = { shared, page, order, nowMs: visit.nowMs, way: belowRoot(way, shared) } as const;
  if (visit.header('accept').includes('application/json')) {
    return Response.json(sharedJson(view, visit.addresses.siteUrl));
  }
  return await visit.page({ title: shared.share.label, main: sharedMain(view) });
}

/** The password of a share. */
export async function postUnlock(visit: Visit): Promise<Response> {
  const shared = await sharedOf(visit);
  if (shared === undefined) return await visit.notFound(OVER_WORDS);
  const { passwordHash } = shared.share;
  const here = hrefTo('share', { token: shared.token });
  if (passwordHash === undefined) return visit.redirect(here);
  if (!(await isPassword(visit, shared.share, visit.form.text('password')))) {
    return await askPassword(
      visit,
      shared,
      'This is not the password, or there were too many tries.',
    );
  }
  visit.cookies.set('share', unlockOf(shared.token, passwordHash));
  return visit.redirect(here);
}

export async function shareDownload(visit: Visit): Promise<Response> {
  const { content, sql } = visit.parts;
  const shared = await sharedOf(visit);
  if (shared === undefined || content === undefined) return await visit.notFound(OVER_WORDS);
  if (!(await isUnlocked(visit, shared))) {
    return visit.redirect(hrefTo('share', { token: shared.token }));
  }
  const entry = visit.param('entry');
  const here = await placeOf(visit, shared, entry === 'all' ? '' : entry || 'none');
  if (here === 'elsewhere') return await visit.notFound();
  const { share, torrent } = shared;
  const asked = downloadRequest(visit);
  // Where downloads are counted each one is whole: parts of one would be as many as somebody likes.
  const request =
    share.downloadsMax === undefined ? asked : { ...asked, range: undefined, ifRange: undefined };
  if (!request.isHead && !(await takeDownload(sql, share.id))) {
    return await visit.notFound('This link was used as often as it may be.');
  }
  const grant = shareGrant(visit, share);
  const { downloads } = content;
  const isFile = here?.isFolder === false;
  const answer = isFile
    ? await downloads.file(request, { torrent, path: here.path, grant })
    : await downloads.tar(request, { torrent, folder: here ?? TOP, grant });
  // What could not be given is not counted.
  const isGiven = answer !== undefined && answer.status < 400;
  if (!isGiven && !request.isHead) await giveBackDownload(sql, share.id);
  if (answer === undefined) return await visit.notFound(OVER_WORDS);
  const name = here?.name ?? torrent.name;
  return downloadResponse(
    answer,
    isFile
      ? { name, type: 'application/octet-stream' }
      : { name: `${name}.tar`, type: 'application/x-tar' },
    visit.request.signal,
  );
}

function shareGrant({ parts }: Visit, share: Share): Grant {
  return {
    holder: `share ${share.id}`,
    mayStay: () => isShareOpen(parts, share.id),
    onSent: (bytes) => parts.shareTraffic.add(share.id, bytes),
  };
}

async function sharedOf(visit: Visit): Promise<Shared | undefined> {
  const { parts } = visit;
  const token = visit.param('token');
  const share = await findOpenShare(parts, token);
  if (share === undefined) return undefined;
  const torrent = await findTorrent(parts.sql, share.torrentId);
  if (torrent === undefined) return undefined;
  if (share.position === NO_PARENT) return { share, token, torrent, root: undefined };
  const root = await folderRow(parts.sql, torrent.id, share.position);
  return root && { share, token, torrent, root };
}

/** What is named by its position, when it lies in what is shared; the root of that when nothing is. */
async function placeOf(
  visit: Visit,
  { root, torrent }: Shared,
  text: string,
): Promise<FolderRow | undefined | 'elsewhere'> {
  if (text === '') return root;
  const position = numberOf(text);
  if (position === undefined) return 'elsewhere';
  const row = await folderRow(visit.parts.sql, torrent.id, position);
  if (row === undefined) return 'elsewhere';
  if (root === undefined || row.position === root.position) return row;
  return root.isFolder && row.path.startsWith(root.path) ? row : 'elsewhere';
}

/** Nobody sees the names of the folders that a shared one lies in. */
function belowRoot(way: readonly FolderRow[], { root }: Shared): readonly FolderRow[] {
  return root === undefined ? way : way.filter((row) => row.path.startsWith(root.path));
}

async function isUnlocked(visit: Visit, { share, token }: Shared): Promise<boolean> {
  const { passwordHash } = share;
  if (passwordHash === undefined) return true;
  const sent = visit.cookies.get('share');
  if (secretEqual(utf8(unlockOf(token, passwordHash)), utf8(sent))) return true;
  // Programs say it with each request: `curl -u :password`.
  const basic = /^Basic +([A-Za-z0-9+/=]{1,1000})$/i.exec(visit.header('authorization'))?.[1];
  if (basic === undefined) return false;
  const pair = Buffer.from(basic, 'base64').toString('utf8');
  return await isPassword(visit, share, pair.slice(pair.indexOf(':') + 1));
}

async function isPassword({ parts, address }: Visit, share: Share, password: string) {
  const { signInAddress, signInName } = parts.limits;
  const keys = [`share:${addressKey(address)}`, `share:${share.id}`] as const;
  if (signInAddress.take(keys[0]) > 0 || signInName.take(keys[1]) > 0) return false;
  const isRight = await parts.passwords.verify(password.slice(0, 1000), share.passwordHash);
  if (isRight) {
    signInAddress.giveBack(keys[0]);
    signInName.giveBack(keys[1]);
  }
  return isRight;
}

/** Only who had the link and its password was given it; another password ends it. */
function unlockOf(token: string, passwordHash: string): string {
  return createHmac('sha256', utf8(passwordHash)).update(`share ${token}`).digest('base64url');
}

async function askPassword(visit: Visit, { token }: Shared, error?: string): Promise<Response> {
  const main = unlockMain({ token, csrf: visit.csrfToken, error });
  const isProgram = visit.header('accept').includes('application/json');
  const status = error === undefined ? (isProgram ? 401 : 200) : 422;
  return await visit.page({ title: 'A password is wanted', main, status });
}

function numberOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** Whether there is something left to download. */
export function isLeft({ share }: Shared, nowMs: number): boolean {
  return stateOf(share, nowMs) === 'open';
}
