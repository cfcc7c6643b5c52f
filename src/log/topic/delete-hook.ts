// What is done with a segment before retention removes it: copied away, counted, handed on. The log
// knows only this; cli/ makes one of a command (`log.deleteHook`).

export interface DeletedSegment {
  readonly topic: string;
  /** Stands there, whole and sealed, until the hook has succeeded. */
  readonly path: string;
  readonly firstOffset: number;
  /** The one after its last. */
  readonly nextOffset: number;
}

export interface DeleteHook {
  /**
   * Resolves when the segment may go. It is run again when it rejects, and after a crash also when it
   * had succeeded: it must bear a repetition. The signal ends it when the log closes.
   */
  run(segment: DeletedSegment, signal: AbortSignal): Promise<void>;
}
