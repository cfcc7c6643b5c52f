// The operating error: something outside the program failed (disk, database, network, a file's
// contents, a command's words). It carries a code that a program can compare and a sentence for a
// person. Each folder's errors.ts extends CodedError with its own codes and documents them in one
// table; docs/generated/errors.md is generated from those tables and a test compares the two.

export class CodedError<Code extends string = string> extends Error {
  readonly code: Code;

  /** `message` says the action, the value and what was expected. Keep `cause` where there is one. */
  constructor(code: Code, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** What base/ itself reports. */
export const BASE_ERRORS = {
  STOP_PART_FAILED: 'A part of the program ended by an error; the cause names it.',
  STOP_TIMED_OUT:
    'A part did not end within its time limit. Nothing durable is lost: a restart recovers it.',
} as const;

/** The code of a coded error, of a Node system error (`ENOSPC`), or undefined. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** One line for people: the message of an Error and of its causes, joined by ": ". */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`;
}
