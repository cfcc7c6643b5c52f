// The seed of a test that draws: from SWARMKEEP_SEED when a failure is replayed, else the fixed one
// of the test, so that a run of the whole suite is the same every time.

/** Says on the test's diagnostics how to run these same cases again. */
export function testSeed(context: { diagnostic(message: string): void }, fixed: number): number {
  const seed = givenSeed() ?? fixed;
  context.diagnostic(`replay with SWARMKEEP_SEED=${seed}`);
  return seed;
}

/** Undefined when none is replayed. */
export function givenSeed(): number | undefined {
  const given = process.env.SWARMKEEP_SEED;
  return given === undefined ? undefined : Number(given) >>> 0;
}
