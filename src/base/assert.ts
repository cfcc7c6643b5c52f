// Assertions state what the program itself guarantees. One that fails is our fault, so it throws
// an AssertionFailure that nothing catches: the process ends, and a restart begins from what is
// on disk. What comes from outside is never asserted; it is refused (see errors.ts).

export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';
}

/** `message` is a constant string: a template would be built even when the condition holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** Ends a switch over a union; the compiler refuses the call while a case is missing. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable case ${String(value)}`);
}
