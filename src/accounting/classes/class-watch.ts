// Promotions and demotions: a pure state machine over what the ledger knows of a member. The job that
// runs it writes each transition down and tells the member.
//
//                 reaches the next class    keeps this one    falls short of keeping it
//   settled       promoted, settled         settled           warned, for `graceMs`
//   warned        promoted, settled         settled           demoted, settled: when the time is up
//
// A check moves a member by one class at most, so that each step is told by itself. The class below is
// kept by its own requirements from the next check on. Rising asks for everything that the class asks
// for, and for what it takes to keep it, so that nobody rises into a warning. A class that no longer
// exists counts as the first, without a word: the operator renamed it.

import type { MemberClass, Requirement, RequirementKind } from './class-list.ts';

export interface ClassStanding {
  /** The class's name; empty before the first check. */
  readonly name: string;
  /** Unix milliseconds of the last change of class; 0 before the first. */
  readonly sinceMs: number;
  /** When a warning runs out; 0 when settled. */
  readonly warnedUntilMs: number;
}

export const NEW_CLASS_STANDING: ClassStanding = { name: '', sinceMs: 0, warnedUntilMs: 0 };

/** Bytes as credited, times in milliseconds. */
export interface ClassFacts {
  readonly nowMs: number;
  readonly joinedMs: number;
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  readonly seededMs: number;
  readonly uploads: number;
}

export interface ClassFinding {
  readonly kind: RequirementKind;
  readonly has: number;
  readonly needs: number;
  readonly isMet: boolean;
}

export type ClassStep = 'promoted' | 'warned' | 'settled' | 'demoted';

export interface ClassTransition {
  readonly step: ClassStep;
  readonly from: string;
  readonly to: ClassStanding;
  /** What was reached, or what is short. */
  readonly findings: readonly ClassFinding[];
}

/** Undefined when nothing changes. `classes` from the lowest to the highest, at least one. */
export function nextClass(
  standing: ClassStanding,
  facts: ClassFacts,
  rules: { readonly classes: readonly MemberClass[]; readonly graceMs: number },
): ClassTransition | undefined {
  const { classes, graceMs } = rules;
  const at = placeOf(standing, classes);
  const { name, keeps } = classes[at]!;
  const from = name;
  const { nowMs } = facts;
  const above = classes[at + 1];
  if (above !== undefined) {
    const asked = findingsOf(risingAsks(above), facts);
    if (asked.every((finding) => finding.isMet)) {
      const to = { name: above.name, sinceMs: nowMs, warnedUntilMs: 0 };
      return { step: 'promoted', from, to, findings: findingsOf(above.rises, facts) };
    }
  }
  const kept = findingsOf(keeps, facts);
  const short = kept.filter((finding) => !finding.isMet);
  const isWarned = standing.warnedUntilMs > 0;
  if (short.length === 0) {
    if (!isWarned) return undefined;
    return { step: 'settled', from, to: { ...standing, name, warnedUntilMs: 0 }, findings: kept };
  }
  if (!isWarned) {
    const to = { ...standing, name, warnedUntilMs: nowMs + graceMs };
    return { step: 'warned', from, to, findings: short };
  }
  if (nowMs < standing.warnedUntilMs) return undefined;
  const below = classes[at - 1];
  if (below === undefined) return undefined;
  const to = { name: below.name, sinceMs: nowMs, warnedUntilMs: 0 };
  return { step: 'demoted', from, to, findings: short };
}

/** The class that a standing is in, as a place in the list. */
export function placeOf(standing: ClassStanding, classes: readonly MemberClass[]): number {
  return Math.max(
    0,
    classes.findIndex((one) => one.name === standing.name),
  );
}

/** What it takes to rise into a class: all that it asks for, the higher where one stands twice. */
export function risingAsks({ rises, keeps }: MemberClass): readonly Requirement[] {
  const highest = new Map<RequirementKind, Requirement>();
  for (const one of [...rises, ...keeps]) {
    if (one.value > (highest.get(one.kind)?.value ?? -1)) highest.set(one.kind, one);
  }
  return [...highest.values()];
}

/** Each requirement with what the member has of it. */
export function findingsOf(
  requirements: readonly Requirement[],
  facts: ClassFacts,
): readonly ClassFinding[] {
  return requirements.map(({ kind, value }) => {
    const has = HAS[kind](facts);
    return { kind, has, needs: value, isMet: has >= value };
  });
}

const HAS: Readonly<Record<RequirementKind, (facts: ClassFacts) => number>> = {
  given: (facts) => facts.uploadedBytes,
  ratio: ({ uploadedBytes, downloadedBytes }) =>
    downloadedBytes === 0 ? Number.POSITIVE_INFINITY : uploadedBytes / downloadedBytes,
  age: (facts) => facts.nowMs - facts.joinedMs,
  uploads: (facts) => facts.uploads,
  seeded: (facts) => facts.seededMs,
};
