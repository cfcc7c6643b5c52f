// Previews joined to the other rooms: the archive's content as their job reads it, and who makes them.

import type { ArchiveWorld } from '#archive/archive.ts';
import { SegmentCache } from '#archive/content/segment-cache.ts';
import { ContentFiles } from '#archive/downloads/content-tree.ts';
import { SeedFiles } from '#archive/web-seed/seed-files.ts';
import type { Logger } from '#base/logger.ts';
import type { PreviewsWorld } from '#site/previews/previews-job.ts';
import type { Sql } from '#sql/sql.ts';
import { seedCatalogue } from './archive-parts.ts';
import { findFfmpeg } from './ffmpeg.ts';

export function previewsWorld(parts: {
  readonly sql: Sql;
  readonly logger: Logger;
  readonly archive: ArchiveWorld;
}): PreviewsWorld {
  const { sql, logger, archive } = parts;
  const files = new SeedFiles({ sql, catalogue: seedCatalogue(sql) });
  const store = (): ReturnType<ArchiveWorld['store']> => archive.store();
  return {
    ...{ sql, logger, store, maker: () => findFfmpeg() },
    // Each file is read once, from its beginning.
    files: new ContentFiles(files, new SegmentCache({ store, bytesMax: 0 })),
    previewsMax: archive.config.previewsPerTorrentMax,
  };
}
