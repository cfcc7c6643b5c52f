// The catalogue's pages by route.

import type { RouteHandlers } from '#site/admission.ts';
import { torrentsPage } from './list-handlers.ts';
import { magnetPage } from './magnet.ts';
import {
  downloadTorrent,
  editPage,
  postEdit,
  postRemove,
  removePage,
  torrentPage,
} from './torrent-handlers.ts';
import { draftPage, postDiscard, postDraft, postUpload, uploadPage } from './upload-handlers.ts';

export const catalogueRoutes: RouteHandlers = {
  torrents: { GET: torrentsPage },
  torrent: { GET: torrentPage },
  torrentDownload: { GET: downloadTorrent },
  torrentMagnet: { GET: magnetPage },
  torrentEdit: { GET: editPage, POST: postEdit },
  torrentRemove: { GET: removePage, POST: postRemove },
  upload: { GET: uploadPage, POST: postUpload },
  uploadDraft: { GET: draftPage, POST: postDraft },
  uploadDiscard: { POST: postDiscard },
};
