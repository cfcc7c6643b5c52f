// A web seed of somebody else (BEP 19) as a source of pieces: exact ranges by HTTP, a file at a time. What it
// gives is proven like anybody's. It is asked for a part of a piece at a time and read no further, follows
// nowhere, and what its server is slow with is given up.

import type { HttpClient } from '#net/http-client.ts';
import type { Metainfo } from '#wire/metainfo.ts';
import type { PiecePlan } from './piece-plan.ts';
import type { PieceSource } from './swarm-download.ts';

/** In which not a byte moves. */
const IDLE_MS_MAX = 20_000;
/** Asked for at once: a piece may be as large as 256 MiB. */
const PART_BYTES_MAX = 4 * 1024 * 1024;

export type WebSourceTorrent = Pick<Metainfo, 'name' | 'singleFile' | 'files'>;

export class WebSource implements PieceSource {
  readonly #http: HttpClient;
  readonly #plan: PiecePlan;
  /** By position. */
  readonly #urls: readonly URL[];

  /** `base`: as a `url-list` has it, http or https. */
  constructor(http: HttpClient, base: string, torrent: WebSourceTorrent & { plan: PiecePlan }) {
    this.#http = http;
    this.#plan = torrent.plan;
    this.#urls = fileUrls(base, torrent);
  }

  /** Undefined when it does not have it, or does not answer as it should. Never rejects. */
  async piece(piece: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const plan = this.#plan;
    const bytes = new Uint8Array(plan.pieceBytes(piece));
    try {
      for (const { position, start, end } of plan.spansOf(piece)) {
        // Of a pad the zeros are there already.
        if (position === undefined) continue;
        const shift = piece * plan.pieceLength - (plan.startOf(position) ?? 0);
        for (let at = start; at < end; at += PART_BYTES_MAX) {
          const until = Math.min(end, at + PART_BYTES_MAX);
          const range = { start: shift + at, end: shift + until };
          const part = await this.#range(position, range, signal);
          if (part === undefined) return undefined;
          bytes.set(part, at);
        }
      }
      return bytes;
    } catch {
      return undefined;
    }
  }

  async #range(
    position: number,
    { start, end }: { readonly start: number; readonly end: number },
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const url = this.#urls[position];
    const fileBytes = this.#plan.fileBytes[position] ?? 0;
    if (url === undefined) return undefined;
    const { status, headers, body } = await this.#http.send({
      ...{ method: 'GET', url, signal, idleMsMax: IDLE_MS_MAX, answerBytesMax: end - start },
      headers: { range: `bytes=${start}-${end - 1}`, 'accept-encoding': 'identity' },
    });
    const isRange =
      status === 206 && headers['content-range'] === `bytes ${start}-${end - 1}/${fileBytes}`;
    // A server that knows no ranges gives the whole file, which is right where that was asked for.
    const isWhole = status === 200 && start === 0 && end === fileBytes;
    return (isRange || isWhole) && body.length === end - start ? body : undefined;
  }
}

/** As BEP 19 has them: the torrent's name, and in a folder the path, behind a base that ends in a slash. */
function fileUrls(base: string, { name, singleFile, files }: WebSourceTorrent): readonly URL[] {
  const own = files.filter((file) => !file.pad);
  if (singleFile && !base.endsWith('/')) return own.map(() => new URL(base));
  const folder = base.endsWith('/') ? base : `${base}/`;
  return own.map(({ path }) => {
    const names = singleFile ? [name] : [name, ...path];
    return new URL(folder + names.map(encodeURIComponent).join('/'));
  });
}
