// What becomes of a torrent that nobody seeds. Pure; asked for each torrent now and then.
//
//   before     seeded now   how long                    after
//   unknown    yes                                      unknown
//   unknown    no                                       noted: since now
//   noted      yes                                      forgotten: unknown again
//   noted      no           `afterMs` since noted       warned: whoever could seed it is told
//   warned     yes                                      forgotten
//   warned     no           `graceMs` since warned      removed
//
// Whatever is left out stays as it is.

export interface Unseeded {
  /** Nobody has seeded it since then, as far as anybody looked; Unix milliseconds. */
  readonly sinceMs: number;
  /** 0: nobody was told. */
  readonly warnedMs: number;
}

export interface UnseededSettings {
  readonly afterMs: number;
  readonly graceMs: number;
}

export type UnseededStep = 'noted' | 'forgotten' | 'warned' | 'removed';

/** Undefined when nothing changes. */
export function unseededStep(
  before: Unseeded | undefined,
  now: { readonly isSeeded: boolean; readonly nowMs: number },
  settings: UnseededSettings,
): UnseededStep | undefined {
  if (now.isSeeded) return before === undefined ? undefined : 'forgotten';
  if (before === undefined) return 'noted';
  if (before.warnedMs > 0) {
    return now.nowMs - before.warnedMs >= settings.graceMs ? 'removed' : undefined;
  }
  return now.nowMs - before.sinceMs >= settings.afterMs ? 'warned' : undefined;
}
