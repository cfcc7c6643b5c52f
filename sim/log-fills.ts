// What rewritings have made of the values of one topic in the crash tests. Every value is as many bytes
// of one kind, and a rewriting fills it with another: so a value that is a mixture was torn, and one of a
// kind that was overwritten by a rewriting that had been answered has come back.

/** Of values as they are appended. */
const FIRST = 0x61;

interface Asked {
  readonly from: number;
  readonly byte: number;
}

export class Fills {
  /** In order: a topic does one rewriting after the other. */
  readonly #asked: Asked[] = [];
  /** Offset to the newest rewriting of it that was answered. */
  readonly #done = new Map<number, number>();

  /** A rewriting of some segment that begins at `from` or later; its number. */
  begin(from: number, byte: number): number {
    return this.#asked.push({ from, byte }) - 1;
  }

  /** It was answered: of this segment, up to the offset where the next one begins. */
  done(nth: number, segment: { readonly first: number; readonly next: number }): void {
    for (let offset = segment.first; offset < segment.next; offset++) {
      this.#done.set(offset, Math.max(nth, this.#done.get(offset) ?? -1));
    }
  }

  /** What is wrong with a value that stands there, or undefined. */
  wrongIn(offset: number, value: Uint8Array): string | undefined {
    const [byte] = value;
    if (byte === undefined) return undefined;
    for (const one of value) if (one !== byte) return 'is a mixture';
    const done = this.#done.get(offset) ?? -1;
    const isLast = byte === (this.#asked[done]?.byte ?? FIRST);
    // One that was not answered, or failed, may have done its work all the same.
    const isLater = this.#asked.some(
      (asked, nth) => nth > done && asked.from <= offset && asked.byte === byte,
    );
    return isLast || isLater ? undefined : `is of ${byte}, which was overwritten`;
  }
}
