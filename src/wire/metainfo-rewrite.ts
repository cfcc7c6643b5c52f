// Changes a .torrent file: other trackers out, ours in; for an upload also the private flag and the
// source. The info dictionary is kept byte for byte unless one of these two must be set in it, since
// its hash is the torrent's identity.

import { endOfSteps, type Steps } from '#base/steps.ts';
import { decodeBencode, TORRENT_LIMITS } from './bencode.ts';
import { type BencodeInput, encodeBencode, RawBencode } from './bencode-encoder.ts';
import { type SkimmedDict, skimOrWhy } from './bencode-skim.ts';
import { MANY_KEYS_WORDS } from './metainfo-files.ts';

export interface TorrentEdits {
  /** Tiers of announce URLs (BEP 12), first tier first. Empty: no tracker is named. */
  readonly announceTiers: readonly (readonly string[])[];
  /** Base URLs of BEP 19; those of the file are dropped in any case. */
  readonly webSeeds?: readonly string[];
  /** Sets the private flag (BEP 27) where it is missing. */
  readonly private?: true;
  /** Sets `source` where the file has none. A source that is there already is left. */
  readonly source?: string;
  /** Replaces the comment; absent leaves it. */
  readonly comment?: string;
}

export type RewriteResult =
  | {
      readonly ok: true;
      readonly bytes: Uint8Array;
      /** The info dictionary was changed, and with it the info hash. */
      readonly hashChanged: boolean;
      /** What was changed in the info dictionary and why, in sentences for the uploader. */
      readonly notes: readonly string[];
      /** What the file named and the new one does not. */
      readonly dropped: { readonly trackers: boolean; readonly webSeeds: boolean };
    }
  | { readonly ok: false; readonly reason: string };

// Other trackers, web seeds, nodes of the public DHT, and links to other torrents.
const DROPPED_KEYS = new Set(['announce', 'announce-list', 'url-list', 'httpseeds', 'nodes']);

/**
 * `bytes` is a .torrent file; what has no info dictionary or too many keys is refused. Whether the rest
 * of it can be accepted is parseMetainfo's to say, of the result as of the file. Never throws.
 */
export function rewriteTorrent(bytes: Uint8Array, edits: TorrentEdits): RewriteResult {
  return endOfSteps(rewriteInSteps(bytes, edits));
}

/** The same by steps, but for two copies of its bytes. */
export function* rewriteInSteps(bytes: Uint8Array, edits: TorrentEdits): Steps<RewriteResult> {
  // One of many thousand files is given to each of its members: nothing is made of what is not changed.
  const root = yield* skimOrWhy(bytes);
  const infoBytes = typeof root === 'string' ? undefined : root.get('info');
  const info = infoBytes && (yield* skimOrWhy(infoBytes));
  if (root === 'too-many-keys' || info === 'too-many-keys') {
    return { ok: false, reason: MANY_KEYS_WORDS };
  }
  if (typeof root === 'string' || info === undefined || info === 'no-dict') {
    return { ok: false, reason: whyNone(bytes) };
  }
  const { changes, notes } = infoChanges(info, edits);
  const hashChanged = changes.size > 0;
  const kept = rawEntries(root);
  for (const key of DROPPED_KEYS) kept.delete(key);
  if (hashChanged) {
    // Signatures (BEP 35) are over the info dictionary as it was.
    kept.delete('signatures');
    kept.set('info', new Map([...rawEntries(info), ...changes]));
  }
  const first = edits.announceTiers[0]?.[0];
  if (first !== undefined) kept.set('announce', first);
  if (edits.announceTiers.flat().length > 1) kept.set('announce-list', edits.announceTiers);
  if (edits.webSeeds !== undefined && edits.webSeeds.length > 0) {
    kept.set('url-list', edits.webSeeds);
  }
  if (edits.comment !== undefined) kept.set('comment', edits.comment);
  const names = (...keys: readonly string[]): boolean => keys.some((key) => root.has(key));
  const dropped = {
    trackers: names('announce', 'announce-list'),
    webSeeds: names('url-list', 'httpseeds'),
  };
  return { ok: true, bytes: encodeBencode(kept), hashChanged, notes, dropped };
}

function whyNone(bytes: Uint8Array): string {
  const decoded = decodeBencode(bytes, TORRENT_LIMITS);
  const words = decoded.ok ? 'it has no info dictionary' : decoded.reason;
  return `This is not a torrent file: ${words}.`;
}

function rawEntries(dict: SkimmedDict): Map<string, BencodeInput> {
  return new Map([...dict].map(([key, value]) => [key, new RawBencode(value)]));
}

function infoChanges(
  info: SkimmedDict,
  edits: TorrentEdits,
): { readonly changes: ReadonlyMap<string, BencodeInput>; readonly notes: readonly string[] } {
  const changes = new Map<string, BencodeInput>();
  const notes: string[] = [];
  if (edits.private === true && textOf(info.get('private')) !== 'i1e') {
    changes.set('private', 1);
    notes.push(
      'The private flag was set, so that clients find peers only through this tracker and every transfer is counted.',
    );
  }
  if (edits.source !== undefined && !hasSource(info)) {
    changes.set('source', edits.source);
    notes.push(
      `The source was set to "${edits.source}", so that this torrent is not confused with the same content elsewhere.`,
    );
  }
  if (changes.size > 0) {
    notes.push(
      'This changes the info hash: seed with the new file that you get here, not with the one you uploaded.',
    );
  }
  return { changes, notes };
}

/** A string with something in it: `0:` has nothing. */
function hasSource(info: SkimmedDict): boolean {
  return /^[1-9]/.test(textOf(info.get('source')));
}

function textOf(value: Uint8Array | undefined): string {
  return Buffer.from(value ?? []).toString('latin1');
}
