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

const SORTED_A_STEP = 4000;

/** As `toSorted`, stable like it. */
export function* sortInSteps<Item>(
  items: readonly Item[],
  compare: (one: Item, other: Item) => number,
): Steps<Item[]> {
  let runs: Item[][] = [];
  for (let at = 0; at < items.length; at += SORTED_A_STEP) {
    runs.push(items.slice(at, at + SORTED_A_STEP).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const merged: Item[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      merged.push(yield* mergeInSteps(runs[at] ?? [], runs[at + 1] ?? [], compare));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergeInSteps<Item>(
  first: readonly Item[],
  second: readonly Item[],
  compare: (one: Item, other: Item) => number,
): Steps<Item[]> {
  const merged: Item[] = [];
  let [at, next] = [0, 0];
  while (at < first.length || next < second.length) {
    const isFirst =
      next >= second.length ||
      (at < first.length && compare(first[at] as Item, second[next] as Item) <= 0);
    merged.push((isFirst ? first[at++] : second[next++]) as Item);
    if (merged.length % SORTED_A_STEP === 0) yield;
  }
  return merged;
}

/** Resolves when what waits for the thread was served once. */
export function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
