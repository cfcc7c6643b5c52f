// The stream of counts that the list and the page of a torrent open while they are looked at.

import { bytesEqual } from '#base/bytes.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { verdictWords } from '#site/catalogue/torrent-view.ts';
import { healthOf, whoIsHere } from '#site/components/badge.ts';
import type { LiveKind } from '#site/components/live.ts';
import { formatCount } from '#site/format/number.ts';
import { rowIdOf } from '#site/row-id.ts';
import type { SwarmCounts, Swarms } from '#site/swarms.ts';
import type { PageAnswer, Visit } from '#site/visit.ts';
import { TORRENTS_OF_STREAM_MAX } from './live-counts.ts';

const BUSY_SECONDS = 60;
const PEERS_MAX = 50;
const NOBODY: SwarmCounts = { seeders: 0, leechers: 0, completed: 0 };

export const liveRoutes: RouteHandlers = { liveCounts: { GET: streamCounts } };

/** For a page that shows counts: the script that keeps them up to date, where that is done. */
export function keptUpToDate(visit: Visit): Pick<PageAnswer, 'script'> {
  return visit.parts.config.liveStreamsMax === 0 ? {} : { script: 'live.js' };
}

async function streamCounts(visit: Visit): Promise<Response> {
  const { liveCounts, swarms } = visit.parts;
  const asked = visit.query('torrents').split(',', TORRENTS_OF_STREAM_MAX);
  const ids = new Set(asked.map(rowIdOf).filter((id) => id !== undefined));
  if (ids.size === 0) return await visit.notFound();
  const isOne = ids.size === 1;
  const body = liveCounts.stream({
    memberId: visit.signedIn().memberId,
    sessionId: visit.signedIn().sessionId,
    address: visit.address,
    torrentIds: [...ids],
    describe: (torrentId, counts) => ({
      ...told(counts ?? NOBODY),
      // Of a swarm that no tracker knows the page has the number itself.
      ...(counts === undefined ? {} : { c: formatCount(counts.completed) }),
      ...(isOne ? followed(swarms, torrentId, counts ?? NOBODY) : {}),
    }),
    signal: visit.request.signal,
  });
  if (body === undefined) {
    const headers = { 'retry-after': String(BUSY_SECONDS) };
    return new Response('Too many pages are kept up to date.\n', { status: 503, headers });
  }
  const headers = {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  };
  return new Response(body, { headers });
}

type Told = Partial<Record<LiveKind, string>>;

function told(counts: SwarmCounts): Told {
  const { kind, word } = healthOf(counts);
  return {
    s: formatCount(counts.seeders),
    l: formatCount(counts.leechers),
    h: `${kind} ${word}`,
    w: whoIsHere(counts),
  };
}

/** The verdict on a torrent's own page, where the archive is not counted among those who keep it alive. */
function followed(swarms: Swarms, torrentId: number, counts: SwarmCounts): Told {
  const others = othersThanArchive(swarms, torrentId, counts);
  return { v: verdictWords(others), k: verdictWords(others, true) };
}

function othersThanArchive(swarms: Swarms, torrentId: number, counts: SwarmCounts): SwarmCounts {
  const peers = swarms.peersOfTorrent(torrentId, PEERS_MAX);
  const own = peers.filter(({ peerId }) => bytesEqual(peerId, swarms.archivePeerId)).length;
  return { ...counts, seeders: Math.max(0, counts.seeders - own) };
}
