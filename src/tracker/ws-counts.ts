// What the WebSocket door counts beside requests: what was relayed between peers, and what was not.

import type { Registry } from '#metrics/registry.ts';

const HELP = {
  offers: 'WebRTC offers passed on to a chosen peer.',
  answers: 'WebRTC answers passed on to the peer that had offered.',
  undelivered: 'Offers and answers whose receiver was gone, busy or too slow.',
  stray: 'Answers to offers that were never made, are answered or too old; dropped.',
  silent: 'WebSocket connections dropped because nothing was heard from them, no pong either.',
  broken: 'WebSocket connections closed for frames that break RFC 6455 or a limit.',
} as const;

export type WsCountKind = keyof typeof HELP;
/** `connections` are open now, the rest is counted since the start. */
export type WsTotals = Readonly<Record<WsCountKind | 'connections', number>>;

export class WsCounts {
  readonly #totals: Record<WsCountKind, number> = {
    offers: 0,
    answers: 0,
    undelivered: 0,
    stray: 0,
    silent: 0,
    broken: 0,
  };
  readonly #counters: Readonly<Record<WsCountKind, ReturnType<Registry['counter']>>>;
  #open = 0;
  readonly #connections: ReturnType<Registry['gauge']>;

  constructor(metrics: Registry) {
    const counter = (kind: WsCountKind) =>
      metrics.counter(`swarmkeep_websocket_${kind}_total`, HELP[kind]);
    this.#counters = {
      offers: counter('offers'),
      answers: counter('answers'),
      undelivered: counter('undelivered'),
      stray: counter('stray'),
      silent: counter('silent'),
      broken: counter('broken'),
    };
    this.#connections = metrics.gauge(
      'swarmkeep_websocket_connections',
      'WebSocket connections that are open.',
    );
  }

  count(kind: WsCountKind): void {
    this.#totals[kind] += 1;
    this.#counters[kind].add(1);
  }

  connections(count: number): void {
    this.#open = count;
    this.#connections.set(count);
  }

  totals(): WsTotals {
    return { connections: this.#open, ...this.#totals };
  }
}
