// Public addresses: where members reach the site and the tracker, and the announce URLs made from
// them. The configuration decides; where it says nothing, what the operator said on the first run or
// in the console; else the address that is listened on, which works on this machine only.

import type { SiteSettings } from './accounts/settings.ts';
import { Refusal } from './refusal.ts';

/** Bases without a path; empty where a door is not offered. */
export interface TrackerUrls {
  /** `http://tracker.example.org:6969` */
  readonly http: string;
  /** `udp://tracker.example.org:6969` */
  readonly udp: string;
  /** `wss://tracker.example.org`; where it is listened on, empty when the door is closed. */
  readonly ws: string;
}

export interface Addresses {
  readonly siteUrl: string;
  readonly tracker: TrackerUrls;
}

/** What cli knows of addresses: the configuration's, and what is listened on. */
export interface KnownAddresses {
  /** Empty strings where the configuration says nothing. */
  readonly configured: Addresses;
  readonly listening: Addresses;
  /** Where the tracker was reached before, and still is. */
  readonly former?: readonly string[];
}

/** One member's announce URLs, in the order of their tiers. Secrets. */
export interface MemberAnnounceUrls {
  readonly http?: string;
  readonly udp?: string;
  readonly ws?: string;
}

export function publicAddresses(settings: SiteSettings, known: KnownAddresses): Addresses {
  const { configured, listening } = known;
  const first = (...values: readonly string[]): string =>
    stripSlash(values.find((value) => value !== '') ?? '');
  const http = first(configured.tracker.http, settings.trackerHttpUrl, listening.tracker.http);
  // The WebSocket door is the HTTP one, so it is wherever that is said to be.
  const besideHttp = listening.tracker.ws === '' ? '' : http.replace(/^http/, 'ws');
  return {
    siteUrl: first(configured.siteUrl, settings.publicUrl, listening.siteUrl),
    tracker: {
      http,
      udp: first(configured.tracker.udp, settings.trackerUdpUrl, listening.tracker.udp),
      ws: first(configured.tracker.ws, settings.trackerWsUrl, besideHttp),
    },
  };
}

export function memberAnnounceUrls(tracker: TrackerUrls, passkey: string): MemberAnnounceUrls {
  const url = (base: string): string => `${stripSlash(base)}/${passkey}/announce`;
  return {
    ...(tracker.http === '' ? {} : { http: url(tracker.http) }),
    ...(tracker.udp === '' ? {} : { udp: url(tracker.udp) }),
    ...(tracker.ws === '' ? {} : { ws: url(tracker.ws) }),
  };
}

/**
 * Those that a .torrent carries. Clients that do not speak WebSocket show its tracker as one that does
 * not work, so it is in there only where the operator wants it.
 */
export function urlsInTorrents(
  urls: MemberAnnounceUrls,
  config: { readonly webSocketInTorrents: boolean },
): MemberAnnounceUrls {
  if (config.webSocketInTorrents) return urls;
  const { ws: _, ...others } = urls;
  return others;
}

/** Whether other machines cannot use this address. An address that cannot be read is not local. */
export function isLocalUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  // Only http and its kin have their host normalised, so udp is read as http.
  const { hostname } = new URL(text.replace(/^\w+:/, 'http:'));
  return /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0|\[::\])$/.test(hostname);
}

/** The address without a trailing slash, or why it cannot be one. Empty stays empty. */
export function checkBaseUrl(
  text: string,
  schemes: readonly string[],
  field: string,
): string | Refusal {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  const example = `${schemes[0]}://swarm.example.org`;
  const refused = new Refusal('url', `Write an address such as ${example}.`, field);
  if (trimmed.length > 300 || !URL.canParse(trimmed)) return refused;
  const url = new URL(trimmed);
  const isBare = url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (!schemes.includes(url.protocol.slice(0, -1)) || url.host === '' || !isBare) return refused;
  return stripSlash(trimmed);
}

function stripSlash(text: string): string {
  return text.replace(/\/+$/, '');
}
