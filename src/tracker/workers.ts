// What the threads of one tracker share beside the swarm, and how they speak to each other
// (docs/decisions/0006). Thread 0 is the keeper: it appends the records of all, owns the baselines on
// disk, sweeps and writes snapshots. The others ask it. Each has its own doors, directory and metrics.

import type { AccountingConfig } from '#accounting/config.ts';
import { capacityOf, TransferQueue } from '#accounting/transfers/transfer-queue.ts';
import { assert } from '#base/assert.ts';
import type { Random } from '#base/random.ts';
import type { Baseline, BaselineKey } from '#swarm/baseline.ts';
import { reserveAddressMemory } from '#tracker/announce/address-memory.ts';
import { UndoRing } from '#tracker/announce/undo-ring.ts';
import type { WebRtcMessage, WebRtcRelay } from '#tracker/websocket/webrtc-relay.ts';

/** The number of the thread that keeps what there is only one of. */
export const KEEPER = 0;

/** Made once for all threads of a tracker. Crosses to them as it is. */
export interface TrackerMemory {
  /** Records that wait for the disk. */
  readonly queue: SharedArrayBuffer;
  /** Beside each, what its baseline was before. */
  readonly undo: SharedArrayBuffer;
  /** Which addresses announced. */
  readonly addresses: SharedArrayBuffer;
}

export function reserveTrackerMemory(
  config: { readonly accounting: AccountingConfig },
  world: { readonly random: Random; readonly nowMs: number },
): TrackerMemory {
  return {
    queue: TransferQueue.reserve(config.accounting),
    undo: UndoRing.reserve(capacityOf(config.accounting)),
    addresses: reserveAddressMemory(world.random, world.nowMs),
  };
}

/** From one thread to another. Plain data: it crosses a MessagePort. */
export type WorkerMessage =
  /** To the keeper: look at the queue of records. */
  | { readonly kind: 'look' }
  /** From it: every record before `position` is durable, or every one that was not is lost. */
  | { readonly kind: 'settled'; readonly position: number; readonly durable: boolean }
  /** To it, and its answer: the baseline of a client that the swarm does not know. */
  | { readonly kind: 'find'; readonly id: number; readonly key: BaselineKey }
  | { readonly kind: 'found'; readonly id: number; readonly baseline: Baseline | undefined }
  | { readonly kind: 'unfound'; readonly id: number; readonly reason: string }
  | { readonly kind: 'webrtc'; readonly connection: number; readonly message: WebRtcMessage };

/** The way to the other threads: messages of one thread arrive in their order. */
export interface WorkerLink {
  /** This thread's number, and how many there are. */
  readonly index: number;
  readonly count: number;
  /** Never to this thread itself. */
  send(to: number, message: WorkerMessage): void;
  /** Called once, before anything arrives. */
  onMessage(receive: (message: WorkerMessage, from: number) => void): void;
}

/** Of a tracker of one thread. */
export const soleLink: WorkerLink = {
  index: KEEPER,
  count: 1,
  send: () => assert(false, 'there is nobody to send to'),
  onMessage: () => undefined,
};

type Kind = WorkerMessage['kind'];
type Of<Name extends Kind> = Extract<WorkerMessage, { readonly kind: Name }>;
type Handlers = { [Name in Kind]?: (message: Of<Name>, from: number) => void };

/** Gives each message to whom it concerns. */
export class WorkerMail {
  readonly link: WorkerLink;
  readonly #handlers: Handlers = {};

  constructor(link: WorkerLink) {
    this.link = link;
    link.onMessage((message, from) => this.#receive(message, from));
  }

  on<Name extends Kind>(kind: Name, run: (message: Of<Name>, from: number) => void): void {
    const handlers: { [Each in Name]?: (message: Of<Each>, from: number) => void } = this.#handlers;
    handlers[kind] = run;
  }

  /** Carries offers and answers between the WebSocket connections of two threads. */
  get webRtcRelay(): WebRtcRelay {
    const { link } = this;
    return {
      worker: link.index,
      sendTo: ({ worker, connection }, message) => {
        // A peer may name a thread that was there before a restart with fewer.
        if (worker >= link.count || worker === link.index) return;
        link.send(worker, { kind: 'webrtc', connection, message });
      },
      onMessage: (receive) => {
        this.on('webrtc', ({ connection, message }) => receive(connection, message));
      },
    };
  }

  #receive(message: WorkerMessage, from: number): void {
    const run = this.#handlers[message.kind] as
      | ((message: WorkerMessage, from: number) => void)
      | undefined;
    run?.(message, from);
  }
}

/** Baselines on disk as a thread sees them that does not own them. */
export class RemoteBaselines {
  readonly #mail: WorkerMail;
  readonly #open = new Map<number, PromiseWithResolvers<Baseline | undefined>>();
  #nextId = 1;

  constructor(mail: WorkerMail) {
    this.#mail = mail;
    mail.on('found', ({ id, baseline }) => this.#take(id)?.resolve(baseline));
    mail.on('unfound', ({ id, reason }) => this.#take(id)?.reject(new Error(reason)));
  }

  find(key: BaselineKey): Promise<Baseline | undefined> {
    const id = this.#nextId++;
    const question = Promise.withResolvers<Baseline | undefined>();
    this.#open.set(id, question);
    const { memberId, torrentId, peerId } = key;
    this.#mail.link.send(KEEPER, { kind: 'find', id, key: { memberId, torrentId, peerId } });
    return question.promise;
  }

  #take(id: number): PromiseWithResolvers<Baseline | undefined> | undefined {
    const question = this.#open.get(id);
    this.#open.delete(id);
    return question;
  }
}

/** The keeper's side of RemoteBaselines. */
export function answerFinds(
  mail: WorkerMail,
  baselines: { find(key: BaselineKey): Promise<Baseline | undefined> },
): void {
  mail.on('find', ({ id, key }, from) => {
    baselines.find(key).then(
      (baseline) => mail.link.send(from, { kind: 'found', id, baseline }),
      (error: unknown) => mail.link.send(from, { kind: 'unfound', id, reason: String(error) }),
    );
  });
}
