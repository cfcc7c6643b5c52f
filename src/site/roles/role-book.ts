// The roles in force: those that come with the site, as the operator changed them, those that the
// operator made, and what member classes add. A member may what their role may, and what their class
// and the classes below it add. Kept as one setting in SQL, in force on every node within a second.
//
// An admin may everything, and nobody else may administer: a role that could would be admin by another
// name, and the last admin could be locked out of the site by a form.

import type { Transaction } from 'kysely';
import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { storedSetting } from '#site/accounts/settings.ts';
import { type ConfiguredClasses, classesInForce } from '#site/classes/class-book.ts';
import {
  EVERY_MEMBER,
  GIVEN_PERMISSIONS,
  isBuiltInRole,
  isRole,
  type Permission,
  ROLE_PERMISSIONS,
  type Role,
} from '#site/permissions.ts';
import { Refusal } from '#site/refusal.ts';
import { refuseUnseen, type Shown, versionOf } from '#site/shown.ts';
import { lockForTransaction } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';

const SETTING = 'roles';
const AGE_MS_MAX = 1000;
export const ROLES_MAX = 30;

export interface RoleBookWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  /** Of the configuration. */
  readonly classes: ConfiguredClasses;
}

/** A role or a class with what it may, or adds. */
export interface Rights {
  readonly name: string;
  readonly permissions: readonly Permission[];
}

/** Of what a form or a program read; also of a role that is not there. */
export function rightsVersion(rights: Rights | undefined): string {
  return versionOf(rights === undefined ? [] : [rights.name, ...rights.permissions]);
}

/** What the operator changed, as it is stored. */
export interface StoredRights {
  readonly roles: readonly Rights[];
  readonly classes: readonly Rights[];
}

/** One of both. */
export interface RightsChange {
  readonly role?: Rights;
  readonly classRights?: Rights;
}

/** Whose permissions are asked for. */
export interface RightsHolder {
  readonly role: Role;
  /** The member's class; empty is the first. */
  readonly className: string;
}

/** A reading of the book. */
export class RolesInForce {
  /** `admin` first, then `moderator`, `member`, and the operator's own by name. */
  readonly roles: readonly Rights[];
  /** From the lowest class to the highest: what each adds to those below it. */
  readonly classes: readonly Rights[];

  constructor(stored: StoredRights, classNames: readonly string[]) {
    const storedOf = (name: string) => stored.roles.find((role) => role.name === name);
    const own = stored.roles.filter((role) => !isBuiltInRole(role.name));
    this.roles = [
      { name: 'admin', permissions: ROLE_PERMISSIONS.admin },
      storedOf('moderator') ?? { name: 'moderator', permissions: ROLE_PERMISSIONS.moderator },
      storedOf('member') ?? { name: 'member', permissions: ROLE_PERMISSIONS.member },
      ...own.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    ];
    this.classes = classNames.map((name) => {
      const permissions = stored.classes.find((one) => isSameClass(one.name, name))?.permissions;
      return { name, permissions: permissions ?? [] };
    });
  }

  find(role: Role): Rights | undefined {
    return this.roles.find((one) => one.name === role);
  }

  permissionsOf({ role, className }: RightsHolder): ReadonlySet<Permission> {
    const rights = this.find(role) ?? this.find('member');
    assert(rights !== undefined, 'the role of members is always there');
    const at = this.classes.findIndex((one) => isSameClass(one.name, className));
    // A class that is there no more counts as the first, until the next check moves the member.
    const added = this.classes.slice(0, Math.max(0, at) + 1).flatMap((one) => one.permissions);
    return new Set([...EVERY_MEMBER, ...rights.permissions, ...added]);
  }

  holderMay(holder: RightsHolder, permission: Permission): boolean {
    return this.permissionsOf(holder).has(permission);
  }
}

export class RoleBook {
  readonly #world: RoleBookWorld;
  #current: RolesInForce | undefined;
  #readAtMs = 0;

  constructor(world: RoleBookWorld) {
    this.#world = world;
  }

  /** Read at most once a second. */
  async current(): Promise<RolesInForce> {
    const nowMs = this.#world.clock.monotonicMs();
    if (this.#current === undefined || nowMs - this.#readAtMs >= AGE_MS_MAX) {
      this.#current = await rolesInForce(this.#world);
      this.#readAtMs = nowMs;
    }
    return this.#current;
  }

  /** Other roles and classes stay as they are. Not over permissions that the writer did not see. */
  async save(change: RightsChange, shown: Shown = []): Promise<Refusal | undefined> {
    return await this.#change((stored) => {
      const unseen = refuseUnseen(shown, rightsVersion(rightsNow(stored, change)));
      if (unseen !== undefined) return unseen;
      const { roles, classes } = stored;
      return {
        roles: change.role === undefined ? roles : replaced(roles, change.role),
        classes: change.classRights === undefined ? classes : replaced(classes, change.classRights),
      };
    });
  }

  /** A role of the operator's own; who has it is a member from then on. */
  async remove(name: string): Promise<void> {
    assert(!isBuiltInRole(name), 'built-in roles stay');
    await this.#change(({ roles, classes }, emptied) => {
      emptied.push(name);
      return { roles: roles.filter((role) => role.name !== name), classes };
    });
  }

  async #change(
    make: (stored: StoredRights, emptied: string[]) => StoredRights | Refusal,
  ): Promise<Refusal | undefined> {
    const { sql } = this.#world;
    const refused = await sql.transaction<AccountTables, Refusal | undefined>((transaction) =>
      changeStored(transaction, make),
    );
    this.#current = undefined;
    return refused;
  }
}

async function changeStored(
  transaction: Transaction<AccountTables>,
  make: (stored: StoredRights, emptied: string[]) => StoredRights | Refusal,
): Promise<Refusal | undefined> {
  await lockForTransaction(transaction, 'settings');
  const emptied: string[] = [];
  const made = make(storedRights(await storedSetting(transaction, SETTING)), emptied);
  if (made instanceof Refusal) return made;
  const value = JSON.stringify(made);
  await transaction
    .insertInto('setting')
    .values({ name: SETTING, value })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
    .execute();
  for (const role of emptied) {
    await transaction
      .updateTable('member')
      .set({ role: 'member' })
      .where('role', '=', role)
      .execute();
  }
  return undefined;
}

/** What a change would replace. */
function rightsNow(stored: StoredRights, change: RightsChange): Rights | undefined {
  const { role, classRights } = change;
  if (role !== undefined) return new RolesInForce(stored, []).find(role.name);
  return classRights && new RolesInForce(stored, [classRights.name]).classes[0];
}

/** Undefined when a new role may be called so. */
export function checkRoleName(name: string, inForce: RolesInForce): Refusal | undefined {
  if (!isRole(name)) {
    const message =
      'A role is called by 2 to 32 small letters, digits and "-", and begins with a letter.';
    return new Refusal('role-name', message, 'name');
  }
  if (inForce.find(name) !== undefined) {
    return new Refusal('role-taken', `There is a role "${name}" already.`, 'name');
  }
  if (inForce.roles.length >= ROLES_MAX) {
    return new Refusal('roles-full', `There are ${ROLES_MAX} roles at most.`, 'name');
  }
  return undefined;
}

/** Those of the words that a role can be given, in the order of pages. */
export function givenPermissions(words: readonly string[]): readonly Permission[] {
  return GIVEN_PERMISSIONS.filter((permission) => words.includes(permission));
}

/** Without memory, for a command that asks once. */
export async function rolesInForce(
  world: Pick<RoleBookWorld, 'sql' | 'classes'>,
): Promise<RolesInForce> {
  const stored = await storedSetting(world.sql.read<AccountTables>(), SETTING);
  const { classes } = await classesInForce(world);
  return new RolesInForce(
    storedRights(stored),
    classes.map((one) => one.name),
  );
}

function replaced(all: readonly Rights[], one: Rights): readonly Rights[] {
  return [...all.filter((each) => !isSameClass(each.name, one.name)), one];
}

function isSameClass(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** What another version wrote is read as far as this one knows it. */
function storedRights(json: string | undefined): StoredRights {
  const value: unknown = json === undefined ? {} : JSON.parse(json);
  const list = (name: 'roles' | 'classes'): readonly Rights[] => {
    const items = (value as Readonly<Record<string, unknown>> | null)?.[name];
    return Array.isArray(items) ? items.flatMap(rightsOf) : [];
  };
  return { roles: list('roles'), classes: list('classes') };
}

function rightsOf(item: unknown): readonly Rights[] {
  if (typeof item !== 'object' || item === null) return [];
  const { name, permissions } = item as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string' || !Array.isArray(permissions)) return [];
  return [{ name, permissions: givenPermissions(permissions.map(String)) }];
}
