// The number of a row as addresses and forms have it.

export const ROW_ID = /^[1-9]\d{0,9}$/;

/** Undefined unless it is one. */
export function rowIdOf(text: string): number | undefined {
  return ROW_ID.test(text) ? Number(text) : undefined;
}
