// Work of which only so much may go on at once: whoever comes beyond it waits in line, and the line
// has an end. What waits holds nothing but its request.

export interface TurnsOptions {
  readonly atOnce: number;
  readonly waitingMax: number;
}

export class Turns {
  readonly #options: TurnsOptions;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** What `run` gives when it had its turn; undefined, and nothing ran, when the line is full. */
  async take<Result>(run: () => Promise<Result>): Promise<Result | undefined> {
    const { atOnce, waitingMax } = this.#options;
    if (this.#running < atOnce) this.#running += 1;
    else if (this.#waiting.length >= waitingMax) return undefined;
    // The place is handed over, so that nobody who comes in between takes it.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
