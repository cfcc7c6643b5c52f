// One connection of a batched TCP server: a slot that is used again and again. Between two native
// calls it turns events into calls of the handler, and what the handler did into one operation for
// the next call. While it is idle it holds no buffer.

import { assert } from '#base/assert.ts';
import type { Family } from './ip-address.ts';
import type { TcpConnection, TcpOptions } from './tcp-server.ts';
import {
  EVENT,
  EVENT_WORDS,
  OPERATION,
  RESULT,
  type TcpOutput,
  type TcpSlots,
} from './tcp-slots.ts';

/** What a connection needs of its server. */
export interface ConnectionWorld {
  readonly family: Family;
  readonly options: TcpOptions;
  readonly slots: TcpSlots;
  /** Monotonic, when the connection of that slot is to be ended; Infinity when never. */
  readonly deadlines: Float64Array;
  /** Of this turn; read anew outside of one. */
  nowMs(): number;
  takeInput(): Uint8Array;
  giveInput(input: Uint8Array): void;
  takeOutput(): TcpOutput;
  giveOutput(output: TcpOutput): void;
  /** The connection wants an operation in the next native call. */
  mark(connection: BatchedTcpConnection): void;
  sentBytes(bytes: number): void;
  dropped(reason: string): void;
  gone(connection: BatchedTcpConnection): void;
}

const NOTHING = new Uint8Array(0);

export class BatchedTcpConnection implements TcpConnection {
  id = 0;
  readonly family: Family;
  readonly address: Uint8Array = new Uint8Array(16);
  port = 0;
  readonly isTls = false;
  context: object | undefined = undefined;
  input: Uint8Array = NOTHING;
  inputLength = 0;
  outputLength = 0;
  readonly slot: number;
  /** Stands in the server's list of those that want an operation. */
  isMarked = false;
  isOpen = false;
  readonly #world: ConnectionWorld;
  #output: TcpOutput | undefined;
  /** `input` is the connection's own, because a part of a request waits in it. */
  #ownsInput = false;
  /** How much of the output the kernel has taken. */
  #sent = 0;
  /** What of the output is to be taken by the present deadline. */
  #due = 0;
  /** The kernel takes no more for now. */
  #isBlocked = false;
  #isHeld = false;
  #isHandling = false;
  #isEnding = false;
  /** Our side has ended; the peer's is waited for. */
  #isShut = false;
  /** At the end nothing of the peer's was left unread. */
  #endsClean = false;
  #peerEnded = false;
  /** The kernel has more for us, and will not say so again. */
  #isReadable = false;
  #idleMs = 0;

  constructor(world: ConnectionWorld, slot: number) {
    this.#world = world;
    this.family = world.family;
    this.slot = slot;
  }

  get output(): Uint8Array {
    this.#output ??= this.#world.takeOutput();
    return this.#output.bytes;
  }

  consume(bytes: number): void {
    assert(bytes >= 0 && bytes <= this.inputLength, 'only what arrived is consumed');
    if (bytes < this.inputLength) this.input.copyWithin(0, bytes, this.inputLength);
    this.inputLength -= bytes;
    this.#setDeadline(this.#world.nowMs() + this.#world.options.readMsMax);
  }

  produce(bytes: number): void {
    assert(bytes >= 0 && this.outputLength + bytes <= this.output.length, 'the output fits');
    // An answer that became due when the peer had gone is nobody's.
    if (this.isOpen) this.outputLength += bytes;
  }

  hold(): void {
    this.#isHeld = true;
    this.#setDeadline(Number.POSITIVE_INFINITY);
  }

  release(): void {
    if (!this.#isHeld || !this.isOpen) return;
    this.#isHeld = false;
    const { options } = this.#world;
    this.#setDeadline(
      this.#world.nowMs() + (this.inputLength > 0 ? options.readMsMax : this.#idleMs),
    );
    this.#handle();
  }

  setIdle(idleMs: number): void {
    this.#idleMs = idleMs;
    if (this.isOpen && !this.#isBusy) this.#setDeadline(this.#world.nowMs() + idleMs);
  }

  flush(): void {
    if (this.isOpen && this.outputLength > 0) this.#world.mark(this);
  }

  end(): void {
    if (this.#isEnding || !this.isOpen) return;
    this.#isEnding = true;
    this.#endsClean = this.inputLength === 0 && !this.#isReadable;
    this.#dropInput();
    this.#setDeadline(this.#world.nowMs() + this.#world.options.writeMsMax);
    this.#world.mark(this);
  }

  destroy(): void {
    if (!this.isOpen) return;
    this.#close();
    this.#world.mark(this);
  }

  /** The slot has a new connection: event `at` tells whose. */
  accept(id: number, at: number): void {
    const { slots, options } = this.#world;
    assert(!this.isOpen, 'a slot is empty before it is used');
    this.#giveOutput();
    this.id = id;
    this.port = slots.events[at * EVENT_WORDS + 3]!;
    const from = at * 16;
    for (let index = 0; index < 16; index++) this.address[index] = slots.addresses[from + index]!;
    this.isOpen = true;
    this.context = undefined;
    this.#isHeld = false;
    this.#isEnding = false;
    this.#isShut = false;
    this.#peerEnded = false;
    this.#isReadable = false;
    this.#idleMs = options.idleMsMax;
    this.#setDeadline(this.#world.nowMs() + this.#idleMs);
  }

  /** Takes an event; its bytes stand in `bytes` until the next native call. */
  onEvent(flags: number, bytes: Uint8Array, length: number): void {
    if (!this.isOpen) return;
    if ((flags & EVENT.gone) !== 0) {
      this.destroy();
      return;
    }
    this.#isReadable = (flags & (EVENT.full | EVENT.readable)) !== 0;
    if ((flags & EVENT.end) !== 0) this.#peerEnded = true;
    if ((flags & EVENT.writable) !== 0 && this.#isBlocked) {
      this.#isBlocked = false;
      this.#world.mark(this);
    }
    if (this.#isEnding) {
      if (this.#peerEnded || this.#isReadable) this.#world.mark(this);
      return;
    }
    if (length > 0) this.#take(bytes, length);
    this.#handle();
  }

  /** Writes the operation that this connection wants; false when it wants none after all. */
  writeOperation(into: Int32Array, at: number): boolean {
    let flags = 0;
    if (!this.isOpen) flags = OPERATION.drop;
    else {
      if (this.outputLength > this.#sent && !this.#isBlocked) flags = OPERATION.write;
      if (this.#isEnding && !this.#isBlocked) flags |= this.#ending();
      if (this.#isReadable && this.inputLength < this.#world.options.inputBytesMax) {
        flags |= OPERATION.read;
        this.#isReadable = false;
      }
    }
    if (flags === 0) return false;
    into[at] = this.slot;
    into[at + 1] = flags;
    if ((flags & OPERATION.write) === 0) return true;
    const output = this.#output;
    assert(output !== undefined, 'what was produced stands somewhere');
    into[at + 2] = output.chunk;
    into[at + 3] = output.offset + this.#sent;
    into[at + 4] = this.outputLength - this.#sent;
    return true;
  }

  /** What became of that operation. */
  onResult(flags: number, result: number, resultFlags: number): void {
    if (!this.isOpen) return;
    if (result < 0) {
      this.destroy();
      return;
    }
    if ((flags & OPERATION.write) !== 0 && !this.#onWritten(result)) return;
    if ((resultFlags & RESULT.closed) !== 0) {
      this.#close();
      return;
    }
    if ((resultFlags & RESULT.shut) !== 0) {
      this.#isShut = true;
      // What the peer still sends is read to its end, so that our end is not a reset.
      this.#isReadable = true;
      this.#world.mark(this);
    }
    if (this.inputLength > 0 || this.#peerEnded) this.#handle();
  }

  /** Its deadline has passed. */
  onDeadline(): void {
    let reason = 'idle';
    if (this.#isBlocked) reason = 'slow reader';
    else if (this.#isEnding) reason = 'slow close';
    else if (this.inputLength > 0) reason = 'slow request';
    this.#world.dropped(reason);
    this.destroy();
  }

  get #isBusy(): boolean {
    return this.#isBlocked || this.#isEnding || this.#isHeld || this.inputLength > 0;
  }

  #setDeadline(atMs: number): void {
    this.#world.deadlines[this.slot] = atMs;
  }

  /** How it ends: at once when the peer has nothing unread with us, else after the peer has ended. */
  #ending(): number {
    if (this.#isShut) return this.#peerEnded ? OPERATION.drop : 0;
    if (this.#isReadable) this.#endsClean = false;
    return this.#endsClean || this.#peerEnded ? OPERATION.close : OPERATION.shut;
  }

  #take(bytes: Uint8Array, length: number): void {
    if (this.inputLength === 0 && !this.#ownsInput) {
      this.input = bytes;
      this.inputLength = length;
    } else {
      this.input.set(bytes.subarray(0, length), this.inputLength);
      this.inputLength += length;
      if (this.inputLength > length) return;
    }
    if (!this.#isHeld && !this.#isBlocked) {
      this.#setDeadline(this.#world.nowMs() + this.#world.options.readMsMax);
    }
  }

  /** Lets the handler take what is there until it takes no more. */
  #handle(): void {
    if (this.#isHandling) return;
    this.#isHandling = true;
    while (this.inputLength > 0 && !this.#isHeld && !this.#isEnding && !this.#isBlocked) {
      const before = this.inputLength;
      this.#world.options.handler.onInput(this);
      if (!this.isOpen || this.#isEnding || this.outputLength > 0) break;
      if (this.inputLength === before) {
        if (before >= this.#world.options.inputBytesMax && !this.#isHeld) {
          this.#world.dropped('input full');
          this.destroy();
        }
        break;
      }
    }
    this.#isHandling = false;
    if (!this.isOpen || this.#isEnding) return;
    this.#settle();
  }

  /** After the handler: what is owed is sent, what is left waits in a buffer of its own. */
  #settle(): void {
    const world = this.#world;
    const { inputBytesMax } = world.options;
    if (this.outputLength > 0) world.mark(this);
    else if (this.#output !== undefined) this.#giveOutput();
    if (this.inputLength === 0) {
      if (this.#ownsInput) this.#dropInput();
      if (!this.#isHeld && !this.#isBlocked) this.#setDeadline(world.nowMs() + this.#idleMs);
    } else {
      if (!this.#ownsInput) {
        const own = world.takeInput();
        own.set(this.input.subarray(0, this.inputLength));
        this.input = own;
        this.#ownsInput = true;
      }
      world.slots.rooms[this.slot] = inputBytesMax - this.inputLength;
    }
    if (this.#isReadable && this.inputLength < inputBytesMax) world.mark(this);
    else if (this.#peerEnded && !this.#isHeld && this.outputLength === 0) this.end();
  }

  /** True when all of the output is out. */
  #onWritten(bytes: number): boolean {
    const world = this.#world;
    world.sentBytes(bytes);
    this.#sent += bytes;
    if (this.#sent === this.outputLength) {
      this.#giveOutput();
      this.#due = 0;
      if (!this.#isHeld && !this.#isEnding) {
        const { readMsMax } = world.options;
        this.#setDeadline(world.nowMs() + (this.inputLength > 0 ? readMsMax : this.#idleMs));
      }
      return true;
    }
    this.#isBlocked = true;
    this.#due -= bytes;
    // What was owed when the deadline was set has been taken: what came since has its own.
    if (this.#due <= 0) {
      this.#due = this.outputLength - this.#sent;
      this.#setDeadline(world.nowMs() + world.options.writeMsMax);
    }
    if (this.#sent * 2 > this.outputLength) {
      this.output.copyWithin(0, this.#sent, this.outputLength);
      this.outputLength -= this.#sent;
      this.#sent = 0;
    }
    return false;
  }

  #giveOutput(): void {
    if (this.#output !== undefined) this.#world.giveOutput(this.#output);
    this.#output = undefined;
    this.outputLength = 0;
    this.#sent = 0;
  }

  /** From here on the input has room for all that comes. */
  #dropInput(): void {
    if (this.#ownsInput) {
      this.#world.giveInput(this.input);
      this.#ownsInput = false;
      this.#world.slots.rooms[this.slot] = this.#world.options.inputBytesMax;
    }
    this.input = NOTHING;
    this.inputLength = 0;
  }

  #close(): void {
    this.isOpen = false;
    this.#dropInput();
    this.#giveOutput();
    this.#isBlocked = false;
    this.#due = 0;
    this.#setDeadline(Number.POSITIVE_INFINITY);
    this.#world.gone(this);
  }
}
