// Work on many things of which a few run at the same time.

/**
 * When it resolves or rejects nothing is under way any more; what was not begun when `run` first rejected is
 * not begun. @throws the first error
 */
export async function someAtOnce<T>(
  items: Iterable<T>,
  atOnce: number,
  run: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  let isOver = false;
  const worker = async (): Promise<void> => {
    for (let next = rest.next(); !isOver && next.done !== true; next = rest.next()) {
      try {
        await run(next.value);
      } catch (error) {
        isOver = true;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
