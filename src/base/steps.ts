// Long work by steps: a generator that yields now and then. Whoever has the thread for himself runs it to its
// end; whoever shares it with others gives them a turn at each step.

/** Gives its result when it is done; between two steps a few milliseconds pass. */
export type Steps<Result> = Generator<undefined, Result, undefined>;

export function endOfSteps<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Everything that waits for the thread is served between two steps. */
export async function endInTurns<Result>(steps: Steps<Result>): Promise<Result> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await othersTurn();
  }
}

/** Resolves when what waits for the thread was served once. */
export function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
