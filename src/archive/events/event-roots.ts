// What garbage collection must keep for the log's events: of what is kept or wanted the .torrent file and the
// lists of files. Of a torrent that the catalogue does not know, because the database was lost, also all that
// the lists name: `reindex` comes for it.

import type { ArchiveWorld } from '#archive/archive.ts';
import { decodeFileMap, mapSegmentCount, segmentRef } from '#archive/content/file-map.ts';
import { ArchiveError } from '#archive/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Log } from '#log/log.ts';
import type { RootSource } from '#store/gc/roots.ts';
import type { Store } from '#store/store.ts';
import { decodeEntryList } from './entry-list.ts';
import { EVENTS_TOPIC, fileRefs } from './event.ts';
import type { EventTables } from './event-tables.ts';
import { readStands, type Stand } from './standing.ts';

export class EventRoots implements RootSource {
  readonly name = 'archive events';
  readonly #world: Pick<ArchiveWorld, 'sql' | 'store'> & { readonly log: Log };

  constructor(world: Pick<ArchiveWorld, 'sql' | 'store'> & { readonly log: Log }) {
    this.#world = world;
  }

  /** @throws ArchiveError ARCHIVE_EVENT_INVALID when log and catalogue together do not tell what is kept */
  async *refs(signal: AbortSignal): AsyncGenerator<BlobRef> {
    const { log, sql } = this.#world;
    const topics = await log.topics();
    if (!topics.some(({ name }) => name === EVENTS_TOPIC)) return;
    const problems: string[] = [];
    const { stands } = await readStands(log, { signal, onProblem: (one) => problems.push(one) });
    const rows = await sql
      .read<EventTables>()
      .selectFrom('archive_event')
      .select(['name', 'refs'])
      .execute();
    // Here the catalogue makes up for what the log lost; a new one cannot.
    if (problems.length > 0 && rows.length === 0) {
      throw new ArchiveError('ARCHIVE_EVENT_INVALID', problems.join('; '));
    }
    for (const { refs } of rows) for (const ref of refs.split(' ')) yield ref as BlobRef;
    const known = new Set(rows.map(({ name }) => name));
    const store = await this.#world.store();
    for (const stand of stands.values()) {
      if (!known.has(stand.name)) yield* refsOf(stand, store, signal);
    }
  }
}

/** All of it: nothing else may know of the torrent. */
async function* refsOf(
  { body }: Stand,
  store: Store,
  signal: AbortSignal,
): AsyncGenerator<BlobRef> {
  yield* fileRefs(body.torrent);
  for (const list of body.kind === 'keep' ? body.lists : []) {
    yield list;
    const files = decodeEntryList(await store.get(list, { signal }));
    if (files === undefined) throw new ArchiveError('ARCHIVE_EVENT_INVALID', `${list} is no list`);
    for (const file of files) {
      if (file === undefined) continue;
      yield file.mapRef;
      const map = decodeFileMap(await store.get(file.mapRef, { signal }));
      if (map === undefined) {
        throw new ArchiveError('ARCHIVE_MAP_INVALID', `${file.mapRef} is no map of a file`);
      }
      for (let at = 0; at < mapSegmentCount(map); at++) yield segmentRef(map, at);
    }
  }
}
