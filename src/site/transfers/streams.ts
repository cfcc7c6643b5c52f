// Streams that are open: each holds a connection and a reader of the log.

export class Streams {
  readonly #streamsMax: number;
  #open = 0;

  constructor(streamsMax: number) {
    this.#streamsMax = streamsMax;
  }

  /** Call what it returns when the stream has ended; undefined while there are too many. */
  begin(): (() => void) | undefined {
    if (this.#open >= this.#streamsMax) return undefined;
    this.#open++;
    let isOpen = true;
    return () => {
      if (isOpen) this.#open--;
      isOpen = false;
    };
  }
}
