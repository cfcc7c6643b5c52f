// The `[site]` part of the configuration: where the site listens, how people sign in, and what each
// request may cost. What the operator changes while the site runs (its name, who may sign up) is a
// setting in SQL instead; see accounts/settings.ts.

import { z } from 'zod';
import { bytes, publicUrl } from '#base/field.ts';
import { parseIp } from '#net/ip-address.ts';
import { apiConfig } from './api/api-config.ts';
import { catalogueConfig } from './catalogue/catalogue-config.ts';
import { mailConfig } from './recovery/mail-config.ts';

export const siteConfig = z.strictObject({
  address: z
    .string()
    .default('127.0.0.1')
    .describe(
      'Address that the site listens on. "0.0.0.0" serves every network the machine is in; a proxy with TLS in front of 127.0.0.1 is safer.',
    ),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(8080)
    .describe('TCP port of the site. 0 lets the system choose one, which is printed.'),
  tlsCertificateFile: z
    .string()
    .default('')
    .describe(
      'PEM file of a certificate, with those that vouch for it: the site then speaks HTTPS on its port, and nothing else. A file that changes is in force for new connections within 10 seconds; one that cannot be used is told and leaves the one before. Empty is plain HTTP.',
    ),
  tlsKeyFile: z.string().default('').describe('PEM file of the key of that certificate.'),
  publicUrl: publicUrl(['https', 'http'])
    .default('')
    .describe(
      'Where members reach the site, as "https://swarm.example.org". Links and secure cookies follow it; when empty, what the first run was told counts.',
    ),
  webSocketInTorrents: z
    .boolean()
    .default(false)
    .describe(
      'Whether the .torrent files that members download carry the WebSocket address too. Web clients (WebTorrent) need it there; others show it as a tracker that does not work, and do without it.',
    ),
  portTestPrivate: z
    .boolean()
    .default(false)
    .describe(
      "Whether a member's port test also tries private and local addresses. Only where all members are in one private network: else members could have the server's neighbours tried.",
    ),
  downloadKeys: z
    .boolean()
    .default(false)
    .describe(
      'Whether each .torrent that a member downloads carries a key of its own, good for that torrent alone, in place of the passkey. A leaked file then names its leaker and is revoked alone. Files downloaded before go on working. Trackers hold every key in memory, about 200 bytes each.',
    ),
  proxies: z
    .array(
      z
        .string()
        .refine(
          (text) => parseIp(text, new Uint8Array(16)) !== 0,
          'expected an IPv4 or IPv6 address',
        ),
    )
    .max(64)
    .default([])
    .describe(
      'Addresses of reverse proxies whose X-Forwarded-For is believed. Without it everyone behind a proxy shares one rate limit; with a wrong one, visitors can choose their address.',
    ),
  formBytesMax: bytes({ min: 4096, max: 16_777_216 })
    .default(131_072)
    .describe('Largest body of a form without a file, in bytes. Larger ones are refused unread.'),
  uploadsMax: z
    .int()
    .min(1)
    .max(1000)
    .default(4)
    .describe(
      'Uploads held at once. Each has its whole body in memory; they are taken apart one after another. One more waits.',
    ),
  uploadsWaitingMax: z
    .int()
    .min(0)
    .max(10_000)
    .default(32)
    .describe(
      'Uploads that wait, unread, for those before them. One more is answered 503 and told to try again.',
    ),
  connectionsPerAddressMax: z
    .int()
    .min(1)
    .max(1000)
    .default(200)
    .describe(
      'Connections of the 1,000 of the site’s port that one address may hold; one more is ended at once. Those of `proxies` and of this machine are not counted: behind a proxy on another machine that is not named there, everybody together has so many.',
    ),
  requestsMax: z
    .int()
    .min(1)
    .max(100_000)
    .default(500)
    .describe('Pages worked on at once. One more is answered 503 at once.'),
  sessionIdleDays: z
    .int()
    .min(1)
    .max(3650)
    .default(30)
    .describe('Days without a visit after which a device has to sign in again.'),
  sessionsPerMemberMax: z
    .int()
    .min(1)
    .max(10_000)
    .default(50)
    .describe('Devices that one member may be signed in on. One more signs out the oldest.'),
  passwordMemoryKib: z
    .int()
    .min(8)
    .max(4_194_304)
    .default(19_456)
    .describe(
      'Memory that hashing one password takes, in KiB. More makes stolen hashes dearer to guess and every sign-in slower.',
    ),
  passwordPasses: z
    .int()
    .min(1)
    .max(100)
    .default(2)
    .describe('Rounds over that memory. More is slower for attackers and for sign-in alike.'),
  passwordsAtOnce: z
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe(
      'Passwords hashed at once, in threads that give way to all others. More uses more cores, and more memory at once.',
    ),
  passwordsWaitingMax: z
    .int()
    .min(1)
    .max(100_000)
    .default(200)
    .describe('Passwords waiting to be hashed. One more is answered 503, try again.'),
  signInsPerMinute: z
    .int()
    .min(1)
    .max(100_000)
    .default(20)
    .describe('Failed sign-ins that one address may make in a minute.'),
  signInsPerNamePerMinute: z
    .int()
    .min(1)
    .max(100_000)
    .default(10)
    .describe(
      'Failed sign-ins for one name in a minute, wherever they come from. A browser that the member signed in with before has as many of its own, so that nobody can lock a member out.',
    ),
  signUpsPerHour: z
    .int()
    .min(1)
    .max(100_000)
    .default(30)
    .describe('Sign-ups that one address may try in an hour.'),
  feedsPerMinute: z
    .int()
    .min(1)
    .max(100_000)
    .default(300)
    .describe(
      'Feeds, Torznab searches and .torrent files that one member may ask for by feed key in a minute. A client that downloads a whole feed at once asks for one file a torrent.',
    ),
  rateLimitEntriesMax: z
    .int()
    .min(100)
    .max(10_000_000)
    .default(50_000)
    .describe(
      'Addresses and names whose attempts are remembered, about 200 bytes each. The longest unused are forgotten first.',
    ),
  transferAddresses: z
    .boolean()
    .default(false)
    .describe(
      'Whether the console’s page and stream of transfers tell from which address a client announced. Of protected members they never do. Off, moderators cannot see who shares a line, and neither can whoever takes over their session.',
    ),
  streamsMax: z
    .int()
    .min(1)
    .max(10_000)
    .default(16)
    .describe('Streams of transfers open at once; one more is answered 503.'),
  liveStreamsMax: z
    .int()
    .min(0)
    .max(10_000)
    .default(250)
    .describe(
      'Open pages whose seeders and leechers are kept up to date, of all members; more are as old as they are. Each holds a connection. 0 keeps none up to date, and those pages have no script.',
    ),
  liveIntervalMs: z
    .int()
    .min(250)
    .max(60_000)
    .default(2000)
    .describe(
      'How often the swarms on open pages are looked at, in milliseconds. Shorter is livelier and costs the site more.',
    ),
  inviteDays: z
    .int()
    .min(1)
    .max(3650)
    .default(14)
    .describe('Days after which an invite that nobody used is void.'),
  invitesOpenMax: z
    .int()
    .min(1)
    .max(100_000)
    .default(10)
    .describe('Unused invites that one member may have at a time.'),
  purgeUnseededDays: z
    .int()
    .min(0)
    .max(3650)
    .default(0)
    .describe(
      'Days without a seeder after which whoever could seed a torrent again is warned that it goes; what the archive keeps stays. 0 removes nothing by itself.',
    ),
  purgeGraceDays: z
    .int()
    .min(1)
    .max(3650)
    .default(14)
    .describe('Days between that warning and the removal.'),
  purgeShareMax: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe(
      'Share of all torrents that may be warned of or removed in one run (ten always may). With more the run stops and asks: a tracker that stands still looks like members who left.',
    ),
  formContentBytesMax: bytes({ min: 1_048_576, max: 4_294_967_296 })
    .default(67_108_864)
    .describe(
      'Largest content that is uploaded into the archive by a form without scripts, in bytes. So much is held in memory, `uploadsMax` times at once; with scripts there is no such bound.',
    ),
  sharesPerMemberMax: z
    .int()
    .min(0)
    .max(100_000)
    .default(50)
    .describe(
      'Open shares that one member may have: links by which people without an account take what the archive keeps. 0 makes no new ones.',
    ),
  shareDaysMax: z
    .int()
    .min(1)
    .max(3650)
    .default(90)
    .describe('Days that a share may last at most. It can be revoked before.'),
  ...apiConfig.shape,
  ...catalogueConfig.shape,
  ...mailConfig.shape,
});

export type SiteConfig = z.output<typeof siteConfig>;
