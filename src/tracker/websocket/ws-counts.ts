// What the WebSocket door counts beside requests: what was relayed between peers, and what was not.

import type { Registry } from '#metrics/registry.ts';

export type WsCountKind = 'offers' | 'answers' | 'undelivered' | 'stray' | 'silent' | 'broken';
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
    this.#counters = {
      offers: metrics.counter(
        'swarmkeep_websocket_offers_total',
        'WebRTC offers passed on to a chosen peer.',
      ),
      answers: metrics.counter(
        'swarmkeep_websocket_answers_total',
        'WebRTC answers passed on to the peer that had offered.',
      ),
      undelivered: metrics.counter(
        'swarmkeep_websocket_undelivered_total',
        'Offers and answers whose receiver was gone, busy or too slow.',
      ),
      stray: metrics.counter(
        'swarmkeep_websocket_stray_total',
        'Answers to offers that were never made, are answered or too old; dropped.',
      ),
      silent: metrics.counter(
        'swarmkeep_websocket_silent_total',
        'WebSocket connections dropped because nothing was heard from them, no pong either.',
      ),
      broken: metrics.counter(
        'swarmkeep_websocket_broken_total',
        'WebSocket connections closed for frames that break RFC 6455 or a limit.',
      ),
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
