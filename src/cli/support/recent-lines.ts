// The last lines that a thread logged, for `swarmkeep support`: what an operator would otherwise have to
// find in the journal. Bounded in lines and in bytes; the oldest go first.

const LINES_MAX = 1000;
const LINE_CHARS_MAX = 4096;

export class RecentLines {
  readonly #lines: string[] = [];
  #next = 0;

  /** A longer line is cut. */
  push(line: string): void {
    const text = line.trimEnd().slice(0, LINE_CHARS_MAX);
    if (this.#lines.length < LINES_MAX) this.#lines.push(text);
    else this.#lines[this.#next] = text;
    this.#next = (this.#next + 1) % LINES_MAX;
  }

  /** The oldest first. */
  all(): string[] {
    if (this.#lines.length < LINES_MAX) return [...this.#lines];
    return [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)];
  }
}
