// The rules as a form, and the page of a dry run: whom new rules would touch, and why.

import { html } from 'hono/html';
import type { DryRun, TouchedMember } from '#accounting/rules/dry-run.ts';
import type { StandingState } from '#accounting/rules/ratio-watch.ts';
import { STRATEGY_NAMES, type StrategyName } from '#accounting/strategies/strategy.ts';
import { findingWords } from '#accounting/strategies/verdict-words.ts';
import type { Errors } from '#site/accounts/entry-views.ts';
import { type BadgeKind, badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { facts, stats } from '#site/components/facts.ts';
import {
  errorSummary,
  formActions,
  postForm,
  radioField,
  textField,
} from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { type Standing, standingNow } from '#site/components/standing-now.ts';
import { table } from '#site/components/table.ts';
import { formatCount, plural } from '#site/format/number.ts';
import { formatDate } from '#site/format/time.ts';
import { href, hrefTo } from '#site/routes.ts';
import { NUMBER_WORDS } from '#site/rules/standing-effects.ts';
import { inConsole } from './console-views.ts';
import {
  RULE_FIELDS,
  type RuleField,
  type RuleValues,
  STRATEGY_WORDS,
  WATCH_FIELDS,
} from './rule-fields.ts';

const DAY_MS = 86_400_000;

export interface RulesForm {
  readonly csrf: string;
  readonly values: RuleValues;
  readonly errors: Errors;
  /** Changed on the site; else the configuration's. */
  readonly isFromSite: boolean;
  readonly inForce: StrategyName;
  /** Version of the rules that the form began with. */
  readonly shown: string;
  /** The rules in force, when somebody changed them since. */
  readonly standing: RuleValues | undefined;
}

export function rulesMain(form: RulesForm): Html {
  const { values, errors } = form;
  const strategy = panel({
    title: 'How members are judged',
    body: radioField({
      name: 'strategy',
      label: 'Strategy',
      value: values['strategy'],
      error: errors['strategy'],
      options: STRATEGY_NAMES.map((value) => {
        const { label, hint } = STRATEGY_WORDS[value];
        return { value, label, hint };
      }),
    }),
  });
  const watch = panel({
    title: 'When somebody falls short',
    body: html`<p class="muted">First a watch; when it is over, seeding only, until the requirement is met.</p><div class="form">${fieldsOf(WATCH_FIELDS, form)}</div>`,
  });
  const numbers = STRATEGY_NAMES.filter((name) => STRATEGY_WORDS[name].fields.length > 0).map(
    (name) => numbersOf(name, form),
  );
  const body = html`${strategy}${watch}${panel({
    title: 'Numbers of each strategy',
    aside: 'only the chosen one judges',
    body: html`<div class="stack">${numbers}</div>`,
  })}${formActions(submitButton({ label: 'See whom it would touch', kind: 'primary' }))}`;
  const origin = form.isFromSite
    ? html`Set here, over the configuration. <a href="${href('consoleRulesReset')}">Go back to the configuration</a>`
    : 'As configured. Nothing is saved before you have seen whom it would touch.';
  const head = pageHead({ title: 'Rules', lead: origin });
  const late =
    form.standing === undefined ? NOTHING : standingNow(standingRules(form.standing, values));
  return inConsole(
    'rules',
    html`${head}<div class="stack">${late}${errorSummary(errors)}${postForm({ action: href('consoleRulesTry'), csrf: form.csrf, shown: form.shown, body })}</div>`,
  );
}

/** What differs from what was typed. */
function standingRules(now: RuleValues, typed: RuleValues): readonly Standing[] {
  const strategy = STRATEGY_NAMES.find((name) => name === now['strategy']);
  return [
    ...(strategy === undefined || strategy === typed['strategy']
      ? []
      : [{ label: 'Strategy', text: STRATEGY_WORDS[strategy].label }]),
    ...RULE_FIELDS.filter(({ name }) => now[name] !== typed[name]).map(({ name, label }) => ({
      ...{ label, text: now[name] ?? '' },
    })),
  ];
}

function numbersOf(name: StrategyName, form: RulesForm): Html {
  const { label, fields } = STRATEGY_WORDS[name];
  const hasError = fields.some((field) => form.errors[field.name] !== undefined);
  const isOpen = hasError || form.values['strategy'] === name;
  return html`<details${isOpen ? html` open` : NOTHING}><summary>${label}</summary><div class="form">${fieldsOf(fields, form)}</div></details>`;
}

function fieldsOf(fields: readonly RuleField[], { values, errors }: RulesForm): readonly Html[] {
  return fields.map(({ name, label, hint }) =>
    textField({
      name,
      label,
      value: values[name],
      error: errors[name],
      ...(hint === undefined ? {} : { hint }),
      lengthMax: 40,
      autocomplete: 'off',
      autocapitalize: 'none',
    }),
  );
}

export interface RuleTrial {
  readonly csrf: string;
  /** As the form of the rules said. */
  readonly shown: string | undefined;
  readonly values: RuleValues;
  readonly before: RuleValues;
  readonly strategy: StrategyName;
  readonly trial: DryRun;
  readonly names: ReadonlyMap<number, string>;
  /** They are the configuration's. */
  readonly isReset: boolean;
}

export function ruleTrialMain(view: RuleTrial): Html {
  const { trial } = view;
  const head = pageHead({
    title: 'Whom it would touch',
    lead: leadOf(trial),
    crumbs: [{ label: 'Rules', href: href('consoleRules') }],
  });
  const body = html`${limitsOf(trial)}${stats([
    { label: 'Members tried', value: formatCount(trial.members) },
    {
      label: 'Next check watches',
      value: formatCount(trial.next.watched),
      note: `${formatCount(trial.next.warned)} warned`,
    },
    {
      label: 'Next check restricts',
      value: formatCount(trial.next.restricted),
      note: `${formatCount(trial.next.good)} let go`,
    },
    {
      label: 'Restricted within 30 days',
      value: formatCount(trial.past.restricted),
      note: `${formatCount(trial.past.watched)} only watched`,
    },
  ])}${touchedPanel(view)}${changesPanel(view)}${confirmForm(view)}`;
  return inConsole('rules', html`${head}<div class="stack">${body}</div>`);
}

function leadOf({ touchedCount }: DryRun): string {
  return touchedCount === 0
    ? 'Nobody: neither at the next check nor, had these rules held, over the last 30 days.'
    : `${plural(touchedCount, 'member')}, at the next check or, had these rules held, over the last 30 days. Nothing is saved yet.`;
}

/** What the numbers do not know. */
function limitsOf({ isWhole, members, knownFromDay }: DryRun): Html {
  const partial = isWhole
    ? NOTHING
    : notice(
        'warn',
        `Only the ${formatCount(members)} oldest accounts were tried; there are more.`,
      );
  const nothing = 'Nobody moved anything within the last 30 days: only the next check tells.';
  const known =
    knownFromDay === undefined
      ? notice('info', nothing)
      : notice(
          'info',
          `The last 30 days are known from ${formatDate(knownFromDay * DAY_MS)} on: whatever was before counts as it stood then. Days are judged at their ends, torrents as they are now.`,
        );
  return html`${partial}${known}`;
}

const STATES: Readonly<Record<StandingState, readonly [BadgeKind, string]>> = {
  good: ['good', 'Good standing'],
  warned: ['warn', 'Warned'],
  watched: ['warn', 'Watched'],
  restricted: ['bad', 'Restricted'],
};

function touchedPanel({ trial, names }: RuleTrial): Html {
  const { touched, touchedCount } = trial;
  if (touched.length === 0) return NOTHING;
  const name = ({ memberId }: TouchedMember): Html => {
    const text = names.get(memberId) ?? `member ${memberId}`;
    return html`<a href="${hrefTo('member', { name: text })}">${text}</a>`;
  };
  const shown =
    touched.length < touchedCount
      ? `the first ${formatCount(touched.length)} of ${formatCount(touchedCount)}`
      : plural(touchedCount, 'member');
  return panel({
    title: 'Members',
    aside: shown,
    flush: true,
    body: table({
      caption: 'Members whom these rules would touch',
      rows: touched,
      columns: [
        { label: 'Member', kind: 'title', cell: name },
        { label: 'At the next check', cell: nextCell },
        { label: 'Over the last 30 days', cell: pastCell },
        {
          label: 'Why, as the member reads it',
          cell: ({ verdict }) =>
            html`${verdict.findings.slice(0, 3).map((finding) => html`<p class="small">${findingWords(finding, NUMBER_WORDS)}</p>`)}`,
        },
      ],
    }),
  });
}

function nextCell({ transition }: TouchedMember): Html {
  if (transition === undefined) return html`<span class="muted">no change</span>`;
  return badge(...STATES[transition.to.state]);
}

function pastCell({ pastWorst, pastEnd }: TouchedMember): Html {
  if (pastWorst === 'good') return html`<span class="muted">nothing</span>`;
  const end =
    pastEnd === pastWorst
      ? NOTHING
      : html` <span class="small muted">then ${STATES[pastEnd][1].toLowerCase()}</span>`;
  return html`${badge(...STATES[pastWorst])}${end}`;
}

function changesPanel({ values, before, strategy }: RuleTrial): Html {
  const changed = RULE_FIELDS.filter((field) => values[field.name] !== before[field.name]);
  const was = STRATEGY_NAMES.find((name) => name === before['strategy']);
  const lines = [
    {
      term: 'Strategy',
      value:
        was === undefined || was === strategy
          ? STRATEGY_WORDS[strategy].label
          : `${STRATEGY_WORDS[was].label} → ${STRATEGY_WORDS[strategy].label}`,
    },
    ...changed.map(({ name, label }) => ({
      term: label,
      value: `${before[name]} → ${values[name]}`,
    })),
  ];
  return panel({ title: 'What changes', body: facts(lines) });
}

function confirmForm({ csrf, values, isReset, shown }: RuleTrial): Html {
  const seen = shown === undefined ? {} : { shown };
  const hidden = Object.entries(values).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  const save = postForm({
    action: href(isReset ? 'consoleRulesReset' : 'consoleRules'),
    csrf,
    ...seen,
    inline: true,
    body: html`${isReset ? NOTHING : hidden}${submitButton({ label: 'Put these rules in force', kind: 'primary' })}`,
  });
  const edit = postForm({
    action: href('consoleRulesTry'),
    csrf,
    ...seen,
    inline: true,
    body: html`${hidden}${submitButton({ label: 'Change them', name: 'deed', value: 'edit' })}`,
  });
  const keep = linkButton({
    label: 'Keep everything as it is',
    href: href('consoleRules'),
    kind: 'quiet',
  });
  return html`<div class="row">${save}${edit}${keep}</div>`;
}
