// The operator's pages: status, settings, one member.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import type { Member } from '#site/accounts/members.ts';
import {
  FORM_SETTINGS,
  SIGN_UP_MODES,
  type SignUpMode,
  settingsVersion,
  TRACKER_MODES,
  type TrackerDefaults,
} from '#site/accounts/settings.ts';
import { type Addresses, isLocalUrl, type KnownAddresses } from '#site/announce-urls.ts';
import { badge } from '#site/components/badge.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import { consoleFrame } from '#site/components/console-frame.ts';
import { facts, stats } from '#site/components/facts.ts';
import { date, timeAgo } from '#site/components/figures.ts';
import {
  errorSummary,
  formActions,
  type Option,
  postForm,
  radioField,
  selectField,
  textField,
} from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel, panels } from '#site/components/panel.ts';
import { type Standing, standingNow } from '#site/components/standing-now.ts';
import { formatCount } from '#site/format/number.ts';
import { roleLabel } from '#site/roles/role-words.ts';
import { href, hrefTo } from '#site/routes.ts';
import { type HealthHistory, healthPanel } from '#site/series/series-panels.ts';
import type { SiteStatus } from '#site/world.ts';
import type { TrackerMode } from '#wire/control-message.ts';

type ConsolePart =
  | 'status'
  | 'settings'
  | 'categories'
  | 'tags'
  | 'clients'
  | 'archive'
  | 'stores'
  | 'nodes'
  | 'logging'
  | 'log'
  | 'rules'
  | 'roles'
  | 'classes'
  | 'credit'
  | 'shares'
  | 'keepers'
  | 'transfers'
  | 'signals'
  | 'jobs'
  | 'members';

export function inConsole(part: ConsolePart, body: Html): Html {
  const links = [
    { label: 'Status', href: href('console'), current: part === 'status' },
    { label: 'Settings', href: href('consoleSettings'), current: part === 'settings' },
    { label: 'Rules', href: href('consoleRules'), current: part === 'rules' },
    { label: 'Roles', href: href('consoleRoles'), current: part === 'roles' },
    { label: 'Classes', href: href('consoleClasses'), current: part === 'classes' },
    { label: 'Freeleech', href: href('consoleCredit'), current: part === 'credit' },
    { label: 'Shares', href: href('consoleShares'), current: part === 'shares' },
    { label: 'Keepers', href: href('consoleKeepers'), current: part === 'keepers' },
    { label: 'Transfers', href: href('consoleTransfers'), current: part === 'transfers' },
    { label: 'Signals', href: href('consoleSignals'), current: part === 'signals' },
    { label: 'Jobs', href: href('consoleJobs'), current: part === 'jobs' },
    { label: 'Event log', href: href('consoleLog'), current: part === 'log' },
    { label: 'Archive', href: href('consoleArchive'), current: part === 'archive' },
    { label: 'Stores', href: href('consoleStores'), current: part === 'stores' },
    { label: 'Nodes', href: href('consoleNodes'), current: part === 'nodes' },
    { label: 'Logging', href: href('consoleLogging'), current: part === 'logging' },
    { label: 'Clients', href: href('consoleClients'), current: part === 'clients' },
    { label: 'Categories', href: href('consoleCategories'), current: part === 'categories' },
    { label: 'Tags', href: href('consoleTags'), current: part === 'tags' },
    { label: 'Members', href: href('members'), current: part === 'members' },
    { label: 'Moderation', href: href('consoleReports'), current: false },
  ];
  return consoleFrame('Console', links, body);
}

export interface StatusView {
  readonly status: SiteStatus | undefined;
  readonly members: number;
  readonly torrents: number;
  readonly addresses: Addresses;
  readonly health: HealthHistory;
  readonly nowMs: number;
}

export function statusMain(view: StatusView): Html {
  const { status, nowMs } = view;
  const body = html`${pageHead({ title: 'Status', lead: verdict(status) })}${addressWarning(view.addresses)}<div class="stack">${stats(
    [
      { label: 'Members', value: formatCount(view.members) },
      { label: 'Torrents', value: formatCount(view.torrents) },
      ...(status === undefined ? [] : lagStats(status)),
    ],
  )}${status === undefined ? NOTHING : statusPanels(status, nowMs)}${healthPanel(view.health, nowMs)}${panel(
    {
      title: 'Public addresses',
      aside: html`<a href="${href('consoleSettings')}">Change</a>`,
      body: facts([
        { term: 'Site', value: html`<code>${view.addresses.siteUrl}</code>` },
        { term: 'Tracker, HTTP', value: html`<code>${view.addresses.tracker.http}</code>` },
        { term: 'Tracker, UDP', value: html`<code>${view.addresses.tracker.udp}</code>` },
        ...(view.addresses.tracker.ws === ''
          ? []
          : [
              {
                term: 'Tracker, WebSocket',
                value: html`<code>${view.addresses.tracker.ws}</code>`,
              },
            ]),
      ]),
    },
  )}</div>`;
  return inConsole('status', body);
}

/** Behind by more than this is worth a word. */
const LAG_FINE = 1000;

function verdict(status: SiteStatus | undefined): string {
  if (status === undefined) return 'The server cannot tell about itself at the moment.';
  const isBehind = status.ledgerLag > LAG_FINE || status.controlLag > LAG_FINE;
  return isBehind
    ? 'Running, with work waiting: see what is behind.'
    : 'Everything is running and up to date.';
}

function lagStats(status: SiteStatus) {
  return [
    {
      label: 'Ledger behind',
      value: formatCount(status.ledgerLag),
      note: 'transfer records not counted yet',
    },
    {
      label: 'Tracker behind',
      value: formatCount(status.controlLag),
      note: 'changes not in force yet',
    },
  ];
}

function statusPanels(status: SiteStatus, nowMs: number): Html {
  const figures = (status.figures ?? []).map((figure) => ({
    label: figure.label,
    value: typeof figure.value === 'number' ? formatCount(figure.value) : figure.value,
    ...(figure.note === undefined ? {} : { note: figure.note }),
  }));
  const more = figures.length === 0 ? NOTHING : stats(figures);
  const server = panel({
    title: 'Server',
    body: facts([
      { term: 'Started', value: timeAgo(status.startedMs, nowMs) },
      { term: 'Sockets', value: status.sockets.replace(/^sockets: /, '') },
    ]),
  });
  return html`${more}${server}`;
}

function addressWarning({ siteUrl, tracker }: Addresses): Html {
  const local = [siteUrl, tracker.http, tracker.udp, tracker.ws].filter((url) => isLocalUrl(url));
  if (local.length === 0) return NOTHING;
  const text = html`<strong>Only this machine can use these addresses</strong><p>Every .torrent that a member downloads names the tracker. At present one or more of the addresses begin with 127.0.0.1 or localhost. <a href="${href('consoleSettings')}">Set the public ones</a>.</p>`;
  return html`<div class="flashes">${notice('warn', text)}</div>`;
}

export interface SettingsValues {
  readonly siteName: string;
  readonly signUpMode: SignUpMode;
  readonly trackerMode: TrackerMode | '';
  readonly publicUrl: string;
  readonly trackerHttpUrl: string;
  readonly trackerUdpUrl: string;
  readonly trackerWsUrl: string;
}

interface SettingsForm {
  readonly csrf: string;
  readonly values: SettingsValues;
  readonly errors: Errors;
  readonly defaults: TrackerDefaults;
  readonly known: KnownAddresses;
  /** What is in force. */
  readonly now: SettingsValues;
  /** Somebody else saved since this form was opened. */
  readonly isLate: boolean;
}

const SETTING_LABELS: Readonly<Record<keyof SettingsValues, string>> = {
  siteName: 'Name',
  signUpMode: 'Sign-up',
  trackerMode: 'Who may announce',
  publicUrl: 'Site',
  trackerHttpUrl: 'Tracker, HTTP',
  trackerUdpUrl: 'Tracker, UDP',
  trackerWsUrl: 'Tracker, WebSocket',
};

const SIGN_UP_OPTIONS: Readonly<Record<SignUpMode, Omit<Option, 'value'>>> = {
  open: { label: 'Open', hint: 'Anybody can make an account.' },
  application: {
    label: 'By application',
    hint: 'Whoever wants to join says why, and the staff decides. Invites work beside it.',
  },
  invite: { label: 'By invite', hint: 'Members bring in new members; each link works once.' },
  closed: { label: 'Closed', hint: 'Nobody can, not even with an invite.' },
};

const MODE_OPTIONS: Readonly<Record<TrackerMode, Omit<Option, 'value'>>> = {
  private: { label: 'Private', hint: 'Members only, on torrents of this site.' },
  members: { label: 'Members', hint: 'Members only, on any torrent.' },
  listed: {
    label: 'Listed',
    hint: 'Anybody, on torrents of this site; without a passkey nothing is counted.',
  },
  open: { label: 'Open', hint: 'Anybody, on any torrent.' },
};

export function settingsMain(form: SettingsForm): Html {
  const { values, errors, defaults } = form;
  const asConfigured = {
    value: '',
    label: `As configured: ${defaults.mode}`,
    hint: 'What the server was started with.',
  };
  const site = panel({
    title: 'Site',
    body: html`<div class="form">${textField({
      name: 'siteName',
      label: 'Name',
      value: values.siteName,
      error: errors['siteName'],
      required: true,
      lengthMax: 60,
    })}${radioField({
      name: 'signUpMode',
      label: 'Sign-up',
      value: values.signUpMode,
      options: SIGN_UP_MODES.map((value) => ({ value, ...SIGN_UP_OPTIONS[value] })),
    })}</div>`,
  });
  const tracker = panel({
    title: 'Tracker',
    aside: 'in force within a second',
    body: html`<div class="form">${radioField({
      name: 'trackerMode',
      label: 'Who may announce',
      value: values.trackerMode,
      options: [asConfigured, ...TRACKER_MODES.map((value) => ({ value, ...MODE_OPTIONS[value] }))],
    })}</div>`,
  });
  const shown = settingsVersion(form.now, FORM_SETTINGS);
  const late = form.isLate ? standingNow(standingSettings(form)) : NOTHING;
  const body = html`${site}${tracker}${panel({ title: 'Public addresses', body: addressFields(form) })}${formActions(submitButton({ label: 'Save settings', kind: 'primary' }))}`;
  return inConsole(
    'settings',
    html`${pageHead({ title: 'Settings', lead: 'Changes are live at once, without a restart.' })}<div class="stack">${late}${errorSummary(errors)}${postForm({ action: href('consoleSettings'), csrf: form.csrf, body, shown })}</div>`,
  );
}

/** What differs from what was typed. */
function standingSettings({ now, values, defaults }: SettingsForm): readonly Standing[] {
  const words: Readonly<Record<keyof SettingsValues, string>> = {
    ...now,
    signUpMode: SIGN_UP_OPTIONS[now.signUpMode].label,
    trackerMode:
      now.trackerMode === ''
        ? `As configured: ${defaults.mode}`
        : MODE_OPTIONS[now.trackerMode].label,
  };
  const differing = FORM_SETTINGS.filter((name) => now[name] !== values[name]);
  return differing.map((name) => ({ label: SETTING_LABELS[name], text: words[name] }));
}

function addressFields({ values, errors, known }: SettingsForm): Html {
  const { configured, listening } = known;
  const { http, udp, ws } = listening.tracker;
  const fields = [
    ['publicUrl', 'Site', configured.siteUrl, listening.siteUrl],
    ['trackerHttpUrl', 'Tracker, HTTP', configured.tracker.http, http],
    ['trackerUdpUrl', 'Tracker, UDP', configured.tracker.udp, udp],
    ['trackerWsUrl', 'Tracker, WebSocket', configured.tracker.ws, ws],
  ] as const;
  // A door that is closed has no address to change; what was said of it stays.
  const open = fields.filter(([name]) => name !== 'trackerWsUrl' || ws !== '');
  const items = open.map(([name, label, fixed, fallback]) =>
    fixed !== ''
      ? html`<div class="field"><p class="label">${label}</p><p class="hint">Set in the configuration.</p><code>${fixed}</code></div>`
      : textField({
          name,
          label,
          value: values[name],
          error: errors[name],
          placeholder: fallback,
          hint:
            name === 'trackerWsUrl'
              ? 'Empty means the address for HTTP, where the same door is.'
              : 'Empty means the address that is listened on.',
          lengthMax: 300,
          autocapitalize: 'none',
          autocomplete: 'off',
        }),
  );
  return html`<div class="form">${items}</div>`;
}

export interface ConsoleMemberView {
  readonly csrf: string;
  readonly member: Member;
  readonly invitedBy: string | undefined;
  /** That there are. */
  readonly roles: readonly string[];
  readonly nowMs: number;
  /** The member is the reader. */
  readonly isSelf: boolean;
}

export function consoleMemberMain(view: ConsoleMemberView): Html {
  const { member, csrf, nowMs } = view;
  const about = panel({
    title: 'Account',
    body: facts([
      { term: 'State', value: stateBadge(member) },
      ...(member.state === 'banned' ? [{ term: 'Reason', value: member.reason }] : []),
      { term: 'Joined', value: date(member.createdMs) },
      ...(view.invitedBy === undefined ? [] : [{ term: 'Invited by', value: view.invitedBy }]),
      {
        term: 'Last visit',
        value: member.seenMs === undefined ? 'never' : timeAgo(member.seenMs, nowMs),
      },
    ]),
  });
  const role = panel({
    title: 'Role',
    body: postForm({
      action: hrefTo('consoleMemberRole', { name: member.name }),
      csrf,
      body: html`${selectField({
        name: 'role',
        label: 'Role',
        value: member.role,
        hint: html`What each may is on the page of <a href="${href('consoleRoles')}">roles</a>.`,
        options: view.roles.map((value) => ({ value, label: roleLabel(value) })),
      })}${formActions(submitButton({ label: 'Save role' }))}`,
    }),
  });
  const access = panel({
    title: 'Ways in',
    body: html`<p class="muted">For somebody who lost their password, or their phone.</p><p class="row">${linkButton({ label: 'Link for a new password', href: hrefTo('consoleMemberReset', { name: member.name }) })} ${linkButton({ label: 'Take away the second factor', href: hrefTo('consoleMemberFactor', { name: member.name }) })}</p>`,
  });
  const ban =
    member.state === 'banned'
      ? panel({
          title: 'Ban',
          body: html`<p>Banned: ${member.reason}.</p>${postForm({ action: hrefTo('consoleMemberUnban', { name: member.name }), csrf, body: submitButton({ label: `Let ${member.name} in again` }) })}`,
        })
      : panel({
          title: 'Ban',
          body: html`<p class="muted">A banned member is signed out and refused by the tracker within a second.</p><p>${linkButton({ label: `Ban ${member.name}`, href: hrefTo('consoleMemberBan', { name: member.name }), kind: 'danger' })}</p>`,
        });
  const privacy = panel({
    title: 'Privacy',
    body: html`<p class="muted">${member.isProtected ? 'Protected: the addresses of their devices and clients are written nowhere.' : 'For members who must not be found: the addresses of a protected member are written nowhere, and those in the log are removed as soon as its current file is complete.'}</p>${postForm(
      {
        action: hrefTo('consoleMemberProtect', { name: member.name }),
        csrf,
        body: html`<input type="hidden" name="protected" value="${member.isProtected ? 'no' : 'yes'}">${submitButton({ label: member.isProtected ? 'End the protection' : `Protect ${member.name}` })}`,
      },
    )}`,
  });
  const body = html`${pageHead({
    title: member.name,
    crumbs: [{ label: 'Members', href: href('members') }],
    actions: [
      linkButton({
        label: 'Moderation',
        href: hrefTo('consoleModeration', { name: member.name }),
      }),
      linkButton({ label: 'Profile', href: hrefTo('member', { name: member.name }) }),
    ],
  })}${panels(about, role, access, privacy, ...(view.isSelf ? [] : [ban]))}`;
  return inConsole('members', body);
}

function stateBadge(member: Member): Html {
  return member.state === 'banned' ? badge('bad', 'Banned') : badge('good', 'Active');
}

export function banMain({
  csrf,
  name,
  errors,
  cancelHref,
}: {
  readonly csrf: string;
  readonly name: string;
  readonly errors: Errors;
  readonly cancelHref: string;
}): Html {
  return confirmation({
    question: `Ban ${name}?`,
    consequence: html`<p>${name} is signed out everywhere, and the tracker refuses their clients within a second. What they gave and took stays on their account. You can let them in again.</p>`,
    action: hrefTo('consoleMemberBan', { name }),
    csrf,
    confirmLabel: `Ban ${name}`,
    cancelHref,
    fields: html`${textField({
      name: 'reason',
      label: 'Reason',
      hint: `${name} reads it, here and in their client.`,
      lengthMax: 200,
      autocomplete: 'off',
      error: errors['reason'],
    })}${textField({
      name: 'until',
      label: 'Ends',
      type: 'datetime-local',
      hint: 'In UTC. Empty is when you let them in again.',
      error: errors['until'],
    })}`,
  });
}
