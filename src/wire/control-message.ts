// What the site tells the trackers, as records of the log topic `control`. Each message carries the
// whole state of one thing under that thing's key, so the newest message of a key is all a tracker
// needs (compaction keeps it), applying one twice changes nothing, and order per key is what counts.
// Encoding: UTF-8 JSON with the fields below; unknown fields are ignored, unknown kinds skipped,
// so an older tracker can follow a newer site.

export type TrackerMode = 'private' | 'members' | 'listed' | 'open';

/** `key` of the record: `member:7`. `removed` is final; the id is never used again. */
export interface MemberMessage {
  readonly kind: 'member';
  readonly memberId: number;
  /** The keys that name this member in announces; a reset replaces the list, in one message. */
  readonly passkeys: readonly string[];
  readonly state: 'active' | 'banned' | 'removed';
  /** Why, in words that the member's client will show. Empty while active. */
  readonly reason: string;
  readonly mayLeech: boolean;
  /** Marked `protected`: the address is never written to the log. */
  readonly isProtected: boolean;
}

/** `torrent:12`. A hybrid torrent has both hashes; each is 40 hex digits (v2 truncated, BEP 52). */
export interface TorrentMessage {
  readonly kind: 'torrent';
  readonly torrentId: number;
  readonly infoHashV1?: string;
  readonly infoHashV2?: string;
  readonly state: 'active' | 'removed';
  /** Why it was removed, in words that a client will show. Empty while active. */
  readonly reason: string;
  /** Percent of the real bytes that are credited. 100 and 100 unless freeleech or the like. */
  readonly uploadCreditPercent: number;
  readonly downloadCreditPercent: number;
}

/** `download-key:<key>`: a key made for one member's download of one torrent (T17). */
export interface DownloadKeyMessage {
  readonly kind: 'download-key';
  readonly key: string;
  readonly memberId: number;
  readonly torrentId: number;
  readonly state: 'active' | 'revoked';
}

/** `settings`: what the operator changes while the tracker runs (T16). */
export interface SettingsMessage {
  readonly kind: 'settings';
  readonly mode: TrackerMode;
  /** Peer id prefixes, `-TR30`. Deny wins; an empty allow list allows every client. */
  readonly clientsAllowed: readonly string[];
  readonly clientsDenied: readonly string[];
}

export type ControlMessage = MemberMessage | TorrentMessage | DownloadKeyMessage | SettingsMessage;
