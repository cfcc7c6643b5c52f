// `GET /status` on the HTTP door, for visitors: how big the swarms are and how long the tracker has
// served. JSON, or a page for who asks for HTML. Sums only: no torrent, member, address or setting can
// be read from it. Asked for after a path was found to be no announce, so announces pay nothing.

import type { Clock } from '#base/clock.ts';
import type { SwarmTotals } from '#swarm/swarm-views.ts';
import type { ByteSpan } from '#wire/http-request.ts';

const PATH = '/status';

export class StatusPage {
  readonly #clock: Clock;
  readonly #totals: () => SwarmTotals;
  readonly #startedMs: number;

  constructor(options: { readonly clock: Clock; readonly totals: () => SwarmTotals }) {
    this.#clock = options.clock;
    this.#totals = options.totals;
    this.#startedMs = options.clock.monotonicMs();
  }

  isAsked(input: Uint8Array, target: ByteSpan): boolean {
    const text = textOf(input, target.at, target.length);
    return text === PATH || text.startsWith(`${PATH}?`);
  }

  /** The whole answer to the request whose head is the first `headBytes` of the input. */
  answer(input: Uint8Array, headBytes: number, close: boolean): Uint8Array {
    const isHtml = asksForHtml(textOf(input, 0, headBytes));
    const { torrents, peers, seeders } = this.#totals();
    const uptimeSeconds = Math.floor((this.#clock.monotonicMs() - this.#startedMs) / 1000);
    const status = { torrents, peers, seeders, leechers: peers - seeders, uptimeSeconds };
    const body = isHtml ? pageOf(status) : `${JSON.stringify(status)}\n`;
    const head = [
      'HTTP/1.1 200 OK',
      `Content-Type: ${isHtml ? 'text/html; charset=utf-8' : 'application/json'}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Cache-Control: no-store',
      'Vary: Accept',
      "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'",
      `Connection: ${close ? 'close' : 'keep-alive'}`,
    ];
    return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
  }
}

/** Browsers name `text/html`; who names it with the weight 0 does not want it. */
function asksForHtml(head: string): boolean {
  return /^accept:.*\btext\/html\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|\r?$))/im.test(head);
}

function pageOf(status: Readonly<Record<string, number>>): string {
  const names = {
    torrents: 'Torrents',
    peers: 'Peers',
    seeders: 'Seeding',
    leechers: 'Downloading',
  };
  const rows = Object.entries(names).map(
    ([field, name]) => `<tr><th scope="row">${name}</th><td>${figure(status[field])}</td></tr>`,
  );
  const hours = Math.floor((status['uptimeSeconds'] ?? 0) / 3600);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Tracker status</title>
<meta name="viewport" content="width=device-width">
<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:3rem auto;max-width:24rem;padding:0 1rem}table{width:100%;border-collapse:collapse}th{text-align:left;font-weight:400}td{text-align:right;font-variant-numeric:tabular-nums}th,td{padding:.4rem 0;border-bottom:1px solid #8884}</style>
</head><body><main><h1>Tracker status</h1>
<table>${rows.join('')}</table>
<p>Serving for ${figure(hours)} ${hours === 1 ? 'hour' : 'hours'}.</p>
</main></body></html>
`;
}

/** 1 234 567, in groups of three that no line break parts. */
function figure(value: number | undefined): string {
  return String(value ?? 0).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

function textOf(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('latin1');
}
