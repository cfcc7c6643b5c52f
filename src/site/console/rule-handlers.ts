// The console's page of rules. Nothing is saved before the operator has seen whom it would touch: the
// form leads to a dry run, and only the dry run's page has the button that puts rules in force.

import { type DryRun, tryRules } from '#accounting/rules/dry-run.ts';
import type { RulesConfig } from '#accounting/rules-config.ts';
import type { Errors } from '#site/accounts/entry-views.ts';
import { memberNames } from '#site/accounts/members.ts';
import { href } from '#site/routes.ts';
import { judgedMembers, torrentCatalogue } from '#site/rules/standing-effects.ts';
import type { Shown } from '#site/shown.ts';
import type { Visit } from '#site/visit.ts';
import { RULE_FIELDS, type RuleValues, readRules, ruleValues } from './rule-fields.ts';
import { rulesMain, ruleTrialMain } from './rule-views.ts';

/** More are not tried while a person waits, nor for longer. */
const TRIED_MEMBERS_MAX = 20_000;
const TRIED_MS_MAX = 15_000;
const LISTED_MEMBERS_MAX = 100;

export async function showRules(visit: Visit): Promise<Response> {
  const { rules } = await visit.parts.ruleBook.current();
  return await rulesPage(visit, ruleValues(rules), {});
}

export async function postRulesTry(visit: Visit): Promise<Response> {
  const { rules } = await visit.parts.ruleBook.current();
  const values = valuesOf(visit);
  // "Change them" on the page of the dry run leads back with everything as it was typed.
  if (visit.form.text('deed') === 'edit') {
    return await rulesPage(visit, values, {}, { shown: visit.shown });
  }
  const read = readRules(rules, values);
  if ('errors' in read) {
    return await rulesPage(visit, values, read.errors, { shown: visit.shown });
  }
  return await trialPage(visit, read.rules, rules);
}

export async function postRules(visit: Visit): Promise<Response> {
  const { ruleBook, logger } = visit.parts;
  const { rules } = await ruleBook.current();
  const values = valuesOf(visit);
  const read = readRules(rules, values);
  if ('errors' in read) return await rulesPage(visit, values, read.errors);
  if ((await ruleBook.change(read.rules, visit.shown)) !== undefined) {
    return await rulesPage(visit, values, {}, { isLate: true });
  }
  logger.info('The rules were changed', {
    strategy: read.rules.strategy,
    by: visit.signedIn().memberId,
  });
  const text = 'The new rules are in force: the next check judges by them.';
  return visit.redirect(href('consoleRules'), { kind: 'good', text });
}

/** The configuration's rules, tried like any others. */
export async function showRulesReset(visit: Visit): Promise<Response> {
  const { ruleBook } = visit.parts;
  const { rules } = await ruleBook.current();
  return await trialPage(visit, ruleBook.configured, rules, true);
}

export async function postRulesReset(visit: Visit): Promise<Response> {
  const { ruleBook, logger } = visit.parts;
  await ruleBook.reset();
  logger.info('The rules of the configuration hold again', { by: visit.signedIn().memberId });
  const text = 'The rules of the configuration are in force again.';
  return visit.redirect(href('consoleRules'), { kind: 'good', text });
}

function valuesOf({ form }: Visit): RuleValues {
  const names = ['strategy', ...RULE_FIELDS.map((field) => field.name)];
  return Object.fromEntries(names.map((name) => [name, form.text(name).slice(0, 40)]));
}

async function rulesPage(
  visit: Visit,
  values: RuleValues,
  errors: Errors,
  of: { readonly isLate?: boolean; readonly shown?: Shown } = {},
): Promise<Response> {
  const { isFromSite, rules, version } = await visit.parts.ruleBook.current();
  const main = rulesMain({
    ...{ csrf: visit.csrfToken, values, errors, isFromSite, inForce: rules.strategy },
    shown: of.shown?.[0] ?? version,
    standing: of.isLate === true ? ruleValues(rules) : undefined,
  });
  const status = of.isLate === true ? 409 : Object.keys(errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Rules', main, section: 'console', status });
}

async function trialPage(
  visit: Visit,
  rules: RulesConfig,
  before: RulesConfig,
  isReset = false,
): Promise<Response> {
  const { sql } = visit.parts;
  const trial = await trialOfRules(visit, rules);
  const ids = trial.touched.map((one) => one.memberId);
  const main = ruleTrialMain({
    csrf: visit.csrfToken,
    shown: visit.shown[0],
    values: ruleValues(rules),
    before: ruleValues(before),
    strategy: rules.strategy,
    trial,
    names: await memberNames(sql, ids),
    isReset,
  });
  return await visit.page({ title: 'Try these rules', main, section: 'console' });
}

/** Whom these rules would touch; nothing is saved. */
export async function trialOfRules(visit: Visit, rules: RulesConfig): Promise<DryRun> {
  const { sql, clock } = visit.parts;
  const sinceMs = clock.monotonicMs();
  return await tryRules(
    { sql, torrents: torrentCatalogue(sql), members: judgedMembers(sql) },
    rules,
    {
      nowMs: visit.nowMs,
      membersMax: TRIED_MEMBERS_MAX,
      listMax: LISTED_MEMBERS_MAX,
      isTimeOver: () => clock.monotonicMs() - sinceMs > TRIED_MS_MAX,
    },
  );
}
