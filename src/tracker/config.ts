// The `[tracker]` part of the configuration. How early an announce may come and how many peers an
// answer may hold is the swarm's (`[swarm]`); what an answer waits for is accounting's.

import { z } from 'zod';
import { bytes, ms, publicUrl } from '#base/field.ts';
import { parseIp } from '#net/ip-address.ts';
import { parseNetwork } from '#net/ip-network.ts';

const network = z
  .string()
  .refine(
    (text) => parseNetwork(text) !== undefined,
    'expected an address or a network such as "10.0.0.0/8" or "2001:db8::/32"',
  );

const ipAddress = z
  .string()
  .refine(
    (text) => parseIp(text, new Uint8Array(16)) !== 0,
    'expected an IPv4 or IPv6 address such as "0.0.0.0" or "::"; names are not looked up',
  );

const publicUrls = z.strictObject({
  http: publicUrl(['https', 'http'])
    .default('')
    .describe(
      'Where members reach the HTTP door from outside, "https://tracker.example.org". Empty builds it from address and port.',
    ),
  udp: publicUrl(['udp'])
    .default('')
    .describe(
      'Where members reach the UDP door from outside, "udp://tracker.example.org:6969". Empty builds it from address and port.',
    ),
  ws: publicUrl(['wss', 'ws'])
    .default('')
    .describe(
      'Where web clients reach the WebSocket door from outside, "wss://tracker.example.org". Empty is the HTTP address with ws for http, since both doors are one port.',
    ),
});

const formerUrl = z
  .string()
  .max(300)
  .refine(
    (text) => /^(https?|wss?):\/\/[^/?#@]+\/?$/.test(text) && URL.canParse(text),
    'expected an address without a path such as "http://old.example.org:6969"',
  );

export const trackerConfig = z.strictObject({
  addresses: z
    .array(ipAddress)
    .min(1)
    .max(64)
    .default(['127.0.0.1', '::1'])
    .describe(
      'Addresses to listen on, IPv4 and IPv6, for UDP and HTTP alike. "0.0.0.0" and "::" are all of the machine\'s. "::1" is left out where the machine has no IPv6.',
    ),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(6969)
    .describe('Port of every door, UDP and TCP. 0 lets the system choose, for tests.'),
  tlsPort: z
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe(
      'Port of HTTPS and secure WebSocket, beside the plain ones on the same addresses. 0 is none. Peers by TLS and plain ones are in the same swarms, in open mode with `openModeTlsTogether` only.',
    ),
  openModeTlsTogether: z
    .boolean()
    .default(false)
    .describe(
      'In open mode, whether peers that came by `tlsPort` and plain ones are given to each other. Off keeps the addresses of those who chose TLS from who listens on the way of a plain answer; each torrent then has two swarms of fewer peers. In every other mode, and for who announces with a passkey, they are always together.',
    ),
  tlsCertificateFile: z
    .string()
    .default('')
    .describe(
      'PEM file of the certificate for `tlsPort`, with those that vouch for it. A file that changes is in force for new connections within 10 seconds; one that cannot be used is told and leaves the one before.',
    ),
  tlsKeyFile: z
    .string()
    .default('')
    .describe(
      'PEM file of its key. The user that the server runs as must be able to read it again when it is renewed.',
    ),
  workers: z
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe(
      'Threads that answer announces, over one swarm and on the same ports. More than one pays when one core is busy; each keeps members and torrents in memory of its own.',
    ),
  sockets: z
    .enum(['auto', 'batched', 'node'])
    .default('auto')
    .describe(
      'Which sockets serve announces: "batched" ones by the addon in native/, several times cheaper, or "node", Node\'s own. "auto" takes the batched ones where they can be built; a missing addon is told at the start and is no error.',
    ),
  publicUrls: publicUrls
    .default({ http: '', udp: '', ws: '' })
    .describe('The doors as members reach them; announce URLs are made from these.'),
  formerUrls: z
    .array(formerUrl)
    .max(100)
    .default([])
    .describe(
      'Names by which clients still reach the HTTP and WebSocket doors and should no more, "http://old.example.org:6969". They are served, and who comes by one is told `publicUrls.http` in a warning.',
    ),
  formerPorts: z
    .array(z.int().min(1).max(65_535))
    .max(20)
    .default([])
    .describe(
      'Ports that the tracker had once and still listens on, UDP and HTTP alike, beside `port`.',
    ),
  mode: z
    .enum(['private', 'members', 'listed', 'open'])
    .default('private')
    .describe(
      'Who may announce what until the site says otherwise: "private" members on registered torrents, "members" members on any torrent, "listed" anyone on registered torrents, "open" anyone on anything.',
    ),
  clientsAllowed: z
    .array(z.string().min(1).max(20))
    .max(1000)
    .default([])
    .describe(
      'Peer id prefixes of the only clients admitted, "-TR30". Empty admits every client that is not denied.',
    ),
  clientsDenied: z
    .array(z.string().min(1).max(20))
    .max(1000)
    .default([])
    .describe('Peer id prefixes of clients that are refused. Wins over the allow list.'),
  announceIntervalMs: ms({ min: 10_000, max: 36_000_000 })
    .default(1_800_000)
    .describe(
      'How often clients are asked to announce, in milliseconds. Shorter finds peers sooner and costs packets in proportion.',
    ),
  announceJitterPercent: z
    .int()
    .min(0)
    .max(50)
    .default(10)
    .describe(
      'By how much the interval of a client differs from the set one at most, in percent, so that announces spread out. The same client always gets the same.',
    ),
  peersPerAnswer: z
    .int()
    .min(0)
    .max(1000)
    .default(50)
    .describe('Peers in an answer when the client does not say how many it wants.'),
  waitingMax: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(8192)
    .describe(
      'Answers that may wait for the disk at once. Further announces that would wait are told to try again.',
    ),
  retryAfterMs: ms({ min: 1000, max: 3_600_000 })
    .default(10_000)
    .describe('How long an overloaded HTTP door asks clients to stay away, in milliseconds.'),
  removedTorrentsMax: z
    .int()
    .min(0)
    .max(10_000_000)
    .default(100_000)
    .describe(
      'Removed torrents whose reason is remembered for the clients that still announce them. The oldest are forgotten first.',
    ),
  staleAnswersPerAddressMax: z
    .int()
    .min(0)
    .max(255)
    .default(20)
    .describe(
      'UDP packets with an expired connection id that are answered per address in two minutes. More are dropped without an answer.',
    ),
  udpSlotsMax: z
    .int()
    .min(1)
    .max(4096)
    .default(64)
    .describe('Datagrams handled at once per socket.'),
  udpReceiveBufferBytes: bytes({ min: 0 })
    .default(4_194_304)
    .describe(
      'Kernel buffer for datagrams that wait to be read, in bytes. Too small loses announces in bursts. 0 leaves it to the system.',
    ),
  udpSendBufferBytes: bytes({ min: 0 })
    .default(1_048_576)
    .describe(
      'Kernel buffer for datagrams that wait to be sent, in bytes. 0 leaves it to the system.',
    ),
  httpConnectionsMax: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(8192)
    .describe('HTTP connections held at once per address; more are closed at once.'),
  httpBacklog: z
    .int()
    .min(1)
    .max(65_535)
    .default(1024)
    .describe('HTTP connections that the kernel holds before they are accepted.'),
  httpIdleMsMax: ms({ min: 100 })
    .default(60_000)
    .describe('Silence after which a kept-alive HTTP connection is closed, in milliseconds.'),
  httpReadMsMax: ms({ min: 100 })
    .default(10_000)
    .describe('How long one HTTP request may take to arrive, in milliseconds.'),
  httpWriteMsMax: ms({ min: 100 })
    .default(10_000)
    .describe(
      'How long a client may take to read an answer before it is dropped, in milliseconds.',
    ),
  trustedProxies: z
    .array(network)
    .max(1000)
    .default([])
    .describe(
      'Networks of the reverse proxies whose word about the client is taken, "10.0.0.0/8". The client is the last hop in the header that is not in one of them. A network that holds clients lets them claim any address.',
    ),
  forwardedHeader: z
    .enum(['x-forwarded-for', 'forwarded'])
    .default('x-forwarded-for')
    .describe(
      'The header in which trusted proxies name the client. The other one is not read: a proxy that sets one passes on whatever clients write into the other.',
    ),
  proxyProtocolFrom: z
    .array(network)
    .max(1000)
    .default([])
    .describe(
      'Networks of the proxies that pass TCP on with the PROXY protocol, version 1 or 2. Connections from there to the HTTP port must begin with it, all others must not.',
    ),
  ipParameterFrom: z
    .array(network)
    .max(1000)
    .default([])
    .describe(
      "Networks of the clients that may state another address with `ip` in an HTTP announce: seedboxes in the tracker's own network. From anywhere else it is ignored.",
    ),
  statusPage: z
    .boolean()
    .default(true)
    .describe(
      'Whether `/status` on the HTTP port tells every visitor how many torrents and peers there are, as JSON or as a page. It names none of them.',
    ),
  fullScrape: z
    .boolean()
    .default(false)
    .describe(
      'Whether an HTTP scrape that names no info hash is answered with all registered torrents and their counts. In private modes it needs a passkey; in open mode it tells every info hash that is announced. A million torrents are a hundred megabytes (half of that packed by gzip) and some seconds of one core.',
    ),
  fullScrapesMax: z
    .int()
    .min(1)
    .max(1000)
    .default(1)
    .describe('Full scrapes under way at once in one tracker thread; a further one is refused.'),
  fullScrapeMsMax: ms({ min: 1000, max: 3_600_000 })
    .default(120_000)
    .describe(
      'How long a client may take over a full scrape before it is dropped, in milliseconds.',
    ),
  webSocketConnectionsMax: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(8192)
    .describe(
      'WebSocket connections held at once per tracker thread, of those that httpConnectionsMax lets in. 0 closes the door to web clients.',
    ),
  webSocketIdleMsMax: ms({ min: 1000 })
    .default(150_000)
    .describe(
      'Silence after which a WebSocket connection is closed and its peers leave, in milliseconds. Longer than two pings, or slow clients are lost.',
    ),
  webSocketPingIntervalMs: ms({ min: 100 })
    .default(50_000)
    .describe(
      'Time between two pings on a WebSocket connection, in milliseconds. Shorter than what proxies on the way wait for traffic.',
    ),
  webSocketMessageBytesMax: bytes({ min: 4096, max: 1_048_576 })
    .default(131_072)
    .describe(
      'The most that one WebSocket frame or message may hold, in bytes. A connection that sends more is closed.',
    ),
  webSocketOffersMax: z
    .int()
    .min(1)
    .max(100)
    .default(10)
    .describe('WebRTC offers in one announce; an announce with more is refused.'),
  webSocketOfferBytesMax: bytes({ min: 1024, max: 32_768 })
    .default(16_384)
    .describe(
      'The most that one WebRTC offer or answer may hold, in bytes. Real ones have 1 to 4 kB.',
    ),
  webSocketOfferMsMax: ms({ min: 1000, max: 3_600_000 })
    .default(120_000)
    .describe(
      'How long a WebRTC offer may be answered, in milliseconds. Until its offers are answered or so old, a peer has no others passed on.',
    ),
  webSocketOffersUnansweredMax: z
    .int()
    .min(1)
    .max(100_000)
    .default(256)
    .describe(
      'WebRTC offers that one connection may hold unanswered. At the limit it is given no others.',
    ),
  webSocketScrapeHashesMax: z
    .int()
    .min(1)
    .max(100)
    .default(100)
    .describe('Hashes in one scrape over WebSocket; a scrape with more is refused.'),
  webSocketTorrentsMax: z
    .int()
    .min(1)
    .max(100_000)
    .default(1000)
    .describe('Torrents that one WebSocket connection may announce; a further one is refused.'),
  sweepIntervalMs: ms({ min: 10, max: 600_000 })
    .default(1000)
    .describe('Pause between two steps of the sweep for dead peers, in milliseconds.'),
  controlSnapshotIntervalMs: ms({ min: 1000 })
    .default(3_600_000)
    .describe(
      'Time between two snapshots of members and torrents, in milliseconds. Shorter makes a start quicker and writes more.',
    ),
});

export type TrackerConfig = z.output<typeof trackerConfig>;
