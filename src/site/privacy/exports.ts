// Exports that are being made: each reads the log through, so few run at once, and one of a member.

const EXPORTS_MAX = 2;

export class Exports {
  readonly #members = new Set<number>();

  /** Call what it returns when the export has ended; undefined while there are too many. */
  begin(memberId: number): (() => void) | undefined {
    if (this.#members.size >= EXPORTS_MAX || this.#members.has(memberId)) return undefined;
    this.#members.add(memberId);
    return () => this.#members.delete(memberId);
  }
}
