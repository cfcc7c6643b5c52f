// The console's pages of roles: what each role may, what classes add, and roles of the operator's own.

import { html } from 'hono/html';
import type { Errors } from '#site/accounts/entry-views.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { linkButton, submitButton } from '#site/components/button.ts';
import { confirmation } from '#site/components/confirmation.ts';
import {
  checkField,
  errorSummary,
  formActions,
  postForm,
  textField,
} from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { standingNow } from '#site/components/standing-now.ts';
import { table } from '#site/components/table.ts';
import { inConsole } from '#site/console/console-views.ts';
import { formatCount, plural } from '#site/format/number.ts';
import {
  GIVEN_PERMISSIONS,
  isBuiltInRole,
  PERMISSIONS,
  type Permission,
} from '#site/permissions.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import {
  checkRoleName,
  givenPermissions,
  type Rights,
  type RolesInForce,
  rightsVersion,
} from './role-book.ts';
import { countByRole } from './role-holders.ts';
import { roleLabel } from './role-words.ts';

const OPTIONS = GIVEN_PERMISSIONS.map((value) => ({
  value,
  label: value,
  hint: PERMISSIONS[value],
}));

export const roleRoutes: RouteHandlers = {
  consoleRoles: { GET: showRoles, POST: postRole },
  consoleRole: { GET: showRole, POST: postRolePermissions },
  consoleRoleRemove: { GET: showRoleRemove, POST: postRoleRemove },
  consoleClassRights: { GET: showClassRights, POST: postClassRights },
};

async function showRoles(visit: Visit): Promise<Response> {
  return await rolesPage(visit, { name: '', errors: {} });
}

/** A new role may what members may; what else is ticked on its own page. */
async function postRole(visit: Visit): Promise<Response> {
  const { roleBook } = visit.parts;
  const roles = await roleBook.current();
  const name = visit.form.text('name').trim().slice(0, 100);
  const refused = checkRoleName(name, roles);
  if (refused !== undefined) {
    return await rolesPage(visit, { name, errors: { name: refused.message } });
  }
  const permissions = roles.find('member')?.permissions ?? [];
  await roleBook.save({ role: { name, permissions: givenPermissions(permissions) } });
  tell(visit, 'A role was made', { name });
  const text = `The role ${roleLabel(name)} is there. Choose what it may.`;
  return visit.redirect(hrefTo('consoleRole', { role: name }), { kind: 'good', text });
}

async function showRole(visit: Visit): Promise<Response> {
  const role = await roleOf(visit);
  if (role === undefined) return await visit.notFound('There is no such role.');
  return await rolePage(visit, role);
}

/** With `late` for what somebody else saved since the form was opened: what was ticked stays. */
async function rolePage(
  visit: Visit,
  role: Rights,
  late?: { readonly ticked: readonly Permission[] },
): Promise<Response> {
  return await visit.page({
    title: roleLabel(role.name),
    section: 'console',
    status: late === undefined ? 200 : 409,
    main: rightsMain({
      csrf: visit.csrfToken,
      rights: role,
      ...late,
      title: roleLabel(role.name),
      lead: 'What is ticked here is in force on every page within a second.',
      action: hrefTo('consoleRole', { role: role.name }),
      ...(isBuiltInRole(role.name)
        ? {}
        : { removeHref: hrefTo('consoleRoleRemove', { role: role.name }) }),
    }),
  });
}

async function postRolePermissions(visit: Visit): Promise<Response> {
  const role = await roleOf(visit);
  if (role === undefined) return await visit.notFound('There is no such role.');
  const permissions = givenPermissions(visit.form.texts('permissions'));
  const changed = { role: { name: role.name, permissions } };
  if ((await visit.parts.roleBook.save(changed, visit.shown)) !== undefined) {
    const now = await roleOf(visit);
    if (now === undefined) return await visit.notFound('There is no such role.');
    return await rolePage(visit, now, { ticked: permissions });
  }
  tell(visit, 'A role was changed', { name: role.name, permissions: permissions.join(' ') });
  const text = `${roleLabel(role.name)} is saved.`;
  return visit.redirect(href('consoleRoles'), { kind: 'good', text });
}

async function showRoleRemove(visit: Visit): Promise<Response> {
  const role = await roleOf(visit);
  if (role === undefined || isBuiltInRole(role.name)) {
    return await visit.notFound('There is no such role that could be removed.');
  }
  const holders = (await countByRole(visit.parts.sql)).get(role.name) ?? 0;
  const label = roleLabel(role.name);
  const main = confirmation({
    question: `Remove the role ${label}?`,
    consequence: html`<p>${holders === 0 ? 'Nobody has it.' : html`${plural(holders, 'member')} with it will have the role Member.`} There is no way back but to make it again.</p>`,
    action: hrefTo('consoleRoleRemove', { role: role.name }),
    csrf: visit.csrfToken,
    confirmLabel: 'Remove role',
    cancelHref: hrefTo('consoleRole', { role: role.name }),
  });
  return await visit.page({ title: `Remove ${label}`, main, section: 'console' });
}

async function postRoleRemove(visit: Visit): Promise<Response> {
  const role = await roleOf(visit);
  if (role === undefined || isBuiltInRole(role.name)) {
    return await visit.notFound('There is no such role that could be removed.');
  }
  await visit.parts.roleBook.remove(role.name);
  tell(visit, 'A role was removed', { name: role.name });
  const text = `The role ${roleLabel(role.name)} is removed.`;
  return visit.redirect(href('consoleRoles'), { kind: 'good', text });
}

async function showClassRights(visit: Visit): Promise<Response> {
  const one = await classOf(visit);
  if (one === undefined) return await visit.notFound('There is no such class.');
  return await classRightsPage(visit, one);
}

/** As `rolePage`. */
async function classRightsPage(
  visit: Visit,
  one: Rights,
  late?: { readonly ticked: readonly Permission[] },
): Promise<Response> {
  const place = visit.param('place');
  return await visit.page({
    title: one.name,
    section: 'console',
    status: late === undefined ? 200 : 409,
    main: rightsMain({
      csrf: visit.csrfToken,
      rights: one,
      ...late,
      title: `${one.name}: what it adds`,
      lead: 'Members of this class and of those above it may this beside what their role may.',
      action: hrefTo('consoleClassRights', { place }),
    }),
  });
}

async function postClassRights(visit: Visit): Promise<Response> {
  const one = await classOf(visit);
  if (one === undefined) return await visit.notFound('There is no such class.');
  const permissions = givenPermissions(visit.form.texts('permissions'));
  const changed = { classRights: { name: one.name, permissions } };
  if ((await visit.parts.roleBook.save(changed, visit.shown)) !== undefined) {
    const now = await classOf(visit);
    if (now === undefined) return await visit.notFound('There is no such class.');
    return await classRightsPage(visit, now, { ticked: permissions });
  }
  tell(visit, 'What a class adds was changed', {
    name: one.name,
    permissions: permissions.join(' '),
  });
  return visit.redirect(href('consoleRoles'), { kind: 'good', text: `${one.name} is saved.` });
}

/** Admins have everything, so that there is nothing to choose. */
async function roleOf(visit: Visit): Promise<Rights | undefined> {
  const role = (await visit.parts.roleBook.current()).find(visit.param('role'));
  return role?.name === 'admin' ? undefined : role;
}

async function classOf(visit: Visit): Promise<Rights | undefined> {
  const { classes } = await visit.parts.roleBook.current();
  return classes[(visit.numberParam('place') ?? 0) - 1];
}

function tell(visit: Visit, what: string, about: Readonly<Record<string, string>>): void {
  visit.parts.logger.info(what, { ...about, by: visit.signedIn().memberId });
}

async function rolesPage(
  visit: Visit,
  form: { readonly name: string; readonly errors: Errors },
): Promise<Response> {
  const main = rolesMain({
    csrf: visit.csrfToken,
    inForce: await visit.parts.roleBook.current(),
    holders: await countByRole(visit.parts.sql),
    form,
  });
  const status = Object.keys(form.errors).length === 0 ? 200 : 422;
  return await visit.page({ title: 'Roles', main, section: 'console', status });
}

function rolesMain(view: {
  readonly csrf: string;
  readonly inForce: RolesInForce;
  readonly holders: ReadonlyMap<string, number>;
  readonly form: { readonly name: string; readonly errors: Errors };
}): Html {
  const { csrf, inForce, holders, form } = view;
  const roles = table({
    caption: 'Roles',
    rows: inForce.roles,
    columns: [
      { label: 'Role', kind: 'title', cell: (role) => roleLabel(role.name) },
      { label: 'May', cell: mayWords },
      {
        label: 'Members',
        kind: 'figure',
        cell: (role) => formatCount(holders.get(role.name) ?? 0),
      },
      {
        label: 'Actions',
        kind: 'actions',
        cell: ({ name }) =>
          name === 'admin'
            ? NOTHING
            : changeButton(hrefTo('consoleRole', { role: name }), roleLabel(name)),
      },
    ],
  });
  const places = inForce.classes.map((one, at) => ({ one, place: at + 1 }));
  const classes = table({
    caption: 'What classes add',
    rows: places,
    columns: [
      { label: 'Class', kind: 'title', cell: ({ one }) => one.name },
      {
        label: 'Adds',
        cell: ({ one }) =>
          one.permissions.length === 0
            ? html`<span class="muted">nothing</span>`
            : one.permissions.join(', '),
      },
      {
        label: 'Actions',
        kind: 'actions',
        cell: ({ one, place }) => changeButton(hrefTo('consoleClassRights', { place }), one.name),
      },
    ],
  });
  const more = postForm({
    action: href('consoleRoles'),
    csrf,
    body: html`${textField({
      name: 'name',
      label: 'Name',
      hint: 'Small letters, digits and "-", as in "film-editor".',
      value: form.name,
      required: true,
      lengthMax: 32,
      autocomplete: 'off',
      autocapitalize: 'none',
      error: form.errors['name'],
    })}${formActions(submitButton({ label: 'Make a role' }))}`,
  });
  const body = html`${pageHead({ title: 'Roles', lead: 'A role is a set of permissions that you give to a member; a class is one that members rise into by what they do.' })}<div class="stack">${errorSummary(form.errors)}${panel({ title: 'Roles', body: roles, flush: true })}${panel({ title: 'What classes add', aside: html`<a href="${href('consoleClasses')}">Classes</a>`, body: classes, flush: true })}${panel({ title: 'New role', body: more })}</div>`;
  return inConsole('roles', body);
}

function mayWords({ name, permissions }: Rights): string | Html {
  if (name === 'admin') return 'everything';
  const given = givenPermissions(permissions);
  return given.length === 0 ? html`<span class="muted">nothing</span>` : given.join(', ');
}

function changeButton(to: string, about: string): Html {
  return linkButton({ label: 'Change', about, href: to, small: true });
}

function rightsMain(view: {
  readonly csrf: string;
  readonly rights: Rights;
  /** Of a form that came too late. */
  readonly ticked?: readonly Permission[];
  readonly title: string;
  readonly lead: string;
  readonly action: string;
  readonly removeHref?: string;
}): Html {
  const { removeHref, rights, ticked } = view;
  const form = postForm({
    action: view.action,
    csrf: view.csrf,
    shown: rightsVersion(rights),
    body: html`${checkField({
      name: 'permissions',
      label: 'May',
      options: OPTIONS,
      values: ticked ?? rights.permissions,
    })}${formActions(
      submitButton({ label: 'Save', kind: 'primary' }),
      ...(removeHref === undefined
        ? []
        : [linkButton({ label: 'Remove this role', href: removeHref, kind: 'danger' })]),
    )}`,
  });
  const head = pageHead({
    title: view.title,
    lead: view.lead,
    crumbs: [{ label: 'Roles', href: href('consoleRoles') }],
  });
  const may = givenPermissions(rights.permissions).join(', ');
  const late = ticked === undefined ? NOTHING : standingNow([{ label: 'May', text: may }]);
  return inConsole(
    'roles',
    html`${head}<div class="stack">${late}${panel({ title: 'Permissions', body: form })}</div>`,
  );
}
