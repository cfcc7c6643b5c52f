// A member's class on their profile: the name, what keeps it, and what the next one asks for.

import { html } from 'hono/html';
import {
  type ClassFinding,
  findingsOf,
  NEW_CLASS_STANDING,
  placeOf,
  risingAsks,
} from '#accounting/classes/class-watch.ts';
import { classFindingWords } from '#accounting/classes/class-words.ts';
import { classFacts, classStandings } from '#accounting/classes/member-classes.ts';
import { badge } from '#site/components/badge.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { panel } from '#site/components/panel.ts';
import { formatUntil } from '#site/format/time.ts';
import { NUMBER_WORDS } from '#site/rules/standing-effects.ts';
import { type ClassBookWorld, classesInForce } from './class-book.ts';
import { uploadCounts } from './class-effects.ts';

export interface ClassView {
  readonly name: string;
  readonly warnedUntilMs: number;
  readonly nowMs: number;
  /** What it takes to stay, and does not hold. */
  readonly short: readonly ClassFinding[];
  readonly next: { readonly name: string; readonly findings: readonly ClassFinding[] } | undefined;
}

/** Undefined where there is one class only: it says nothing. */
export async function classView(
  world: ClassBookWorld,
  member: { readonly id: number; readonly createdMs: number },
  nowMs: number,
): Promise<ClassView | undefined> {
  const { sql } = world;
  const { classes } = await classesInForce(world);
  if (classes.length < 2) return undefined;
  const standing = (await classStandings(sql, [member.id])).get(member.id) ?? NEW_CLASS_STANDING;
  const judged = [{ memberId: member.id, joinedMs: member.createdMs }];
  const uploads = (ids: readonly number[]) => uploadCounts(sql, ids);
  const [facts] = await classFacts({ sql, uploads }, judged, nowMs);
  const at = placeOf(standing, classes);
  const own = classes[at]!;
  const above = classes[at + 1];
  return {
    name: own.name,
    warnedUntilMs: standing.warnedUntilMs,
    nowMs,
    short: findingsOf(own.keeps, facts!).filter((finding) => !finding.isMet),
    next:
      above === undefined
        ? undefined
        : { name: above.name, findings: findingsOf(risingAsks(above), facts!) },
  };
}

export function classPanel(view: ClassView | undefined, isOwn: boolean): Html {
  if (view === undefined) return NOTHING;
  const { name, warnedUntilMs, nowMs, short, next } = view;
  const reader = isOwn ? 'you' : 'they';
  const words = (finding: ClassFinding): string => classFindingWords(finding, NUMBER_WORDS, reader);
  const warning =
    warnedUntilMs === 0
      ? NOTHING
      : html`<p>${badge('warn', 'About to be lost')} It goes ${formatUntil(warnedUntilMs, nowMs)} unless this changes:</p>${short.map((finding) => html`<p>${words(finding)}</p>`)}`;
  const ahead =
    next === undefined
      ? html`<p class="muted">There is no higher class.</p>`
      : html`<h3>Next: ${next.name}</h3>${next.findings.map((finding) => html`<p>${badge(finding.isMet ? 'good' : 'plain', finding.isMet ? 'Reached' : 'Not yet')} ${words(finding)}</p>`)}`;
  return panel({ title: 'Class', aside: name, body: html`${warning}${ahead}`, id: 'class' });
}
