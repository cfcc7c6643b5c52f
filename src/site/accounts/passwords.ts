// Passwords as Argon2id in PHC strings. Hashing takes tens of milliseconds and megabytes, so a few
// run at once (in a server in threads that give way to others), a bounded number waits, and the next one is
// refused: a storm of sign-ins can slow down signing in, and nothing else.

import { argon2, timingSafeEqual } from 'node:crypto';
import { utf8 } from '#base/bytes.ts';
import type { Random } from '#base/random.ts';
import { SiteError } from '#site/errors.ts';
import { Refusal } from '#site/refusal.ts';
import { Turns } from '#site/turns.ts';

export const PASSWORD_LENGTH = { min: 8, max: 256 } as const;

const TAG_BYTES = 32;
const SALT_BYTES = 16;
/** What a stored hash may ask for; more would be a way to stall the site. */
const STORED_MEMORY_KIB_MAX = 4_194_304;
const STORED_PASSES_MAX = 100;
const GENERATED_BYTES = 12;

/** A key to be derived by Argon2id; `memory` in KiB. */
export interface KeyAsked extends Cost {
  readonly message: Uint8Array;
  readonly nonce: Uint8Array;
  readonly tagLength: number;
}

export type DeriveKey = (asked: KeyAsked) => Promise<Uint8Array>;

export interface PasswordsWorld {
  readonly random: Random;
  /** In libuv's pool unless given. */
  readonly deriveKey?: DeriveKey;
  readonly config: {
    readonly passwordMemoryKib: number;
    readonly passwordPasses: number;
    readonly passwordsAtOnce: number;
    readonly passwordsWaitingMax: number;
  };
}

interface Cost {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

export class Passwords {
  readonly #world: PasswordsWorld;
  readonly #turns: Turns;
  #decoy: Promise<string> | undefined;

  constructor(world: PasswordsWorld) {
    this.#world = world;
    const { passwordsAtOnce: atOnce, passwordsWaitingMax: waitingMax } = world.config;
    this.#turns = new Turns({ atOnce, waitingMax });
  }

  /** A PHC string with a fresh salt. @throws SiteError SITE_PASSWORDS_BUSY */
  async hash(password: string): Promise<string> {
    const { random, config } = this.#world;
    const cost = {
      memory: config.passwordMemoryKib,
      passes: config.passwordPasses,
      parallelism: 1,
    };
    const salt = random.bytes(SALT_BYTES);
    const tag = await this.#derive(password, salt, cost);
    const { memory, passes, parallelism } = cost;
    return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(tag)}`;
  }

  /**
   * Whether the password made this hash. Without a hash (no such member, or one that has no
   * password) it works as long and says no, so that answers do not tell which names exist.
   * @throws SiteError SITE_PASSWORDS_BUSY, SITE_PASSWORD_HASH
   */
  async verify(password: string, stored: string | null | undefined): Promise<boolean> {
    if (stored === null || stored === undefined) {
      this.#decoy ??= this.hash('nobody has this password');
      this.#decoy.catch(() => {
        this.#decoy = undefined;
      });
      await this.#matches(password, await this.#decoy);
      return false;
    }
    return await this.#matches(password, stored);
  }

  async #matches(password: string, stored: string): Promise<boolean> {
    const parsed = parsePhc(stored);
    if (parsed === undefined) {
      throw new SiteError('SITE_PASSWORD_HASH', 'Cannot read a stored password hash');
    }
    const tag = await this.#derive(password, parsed.salt, parsed.cost, parsed.tag.byteLength);
    return timingSafeEqual(tag, parsed.tag);
  }

  async #derive(
    password: string,
    salt: Uint8Array,
    cost: Cost,
    tagLength = TAG_BYTES,
  ): Promise<Uint8Array> {
    const { deriveKey = deriveInPool } = this.#world;
    const message = utf8(normalise(password));
    const asked: KeyAsked = { message, nonce: salt, ...cost, tagLength };
    const key = await this.#turns.take(() => deriveKey(asked));
    if (key !== undefined) return key;
    const { passwordsWaitingMax } = this.#world.config;
    throw new SiteError(
      'SITE_PASSWORDS_BUSY',
      `Cannot hash a password: ${passwordsWaitingMax} wait already`,
    );
  }
}

function deriveInPool(asked: KeyAsked): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    argon2('argon2id', asked, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** Undefined when the password is acceptable. */
export function checkPassword(password: string, name: string): Refusal | undefined {
  const length = Array.from(password).length;
  if (length < PASSWORD_LENGTH.min) {
    const message = `A password has at least ${PASSWORD_LENGTH.min} characters; this one has ${length}.`;
    return new Refusal('password-short', message, 'password');
  }
  if (length > PASSWORD_LENGTH.max) {
    const message = `A password has at most ${PASSWORD_LENGTH.max} characters.`;
    return new Refusal('password-long', message, 'password');
  }
  if (password.toLowerCase() === name.toLowerCase()) {
    return new Refusal('password-name', 'The password must not be the name.', 'password');
  }
  return undefined;
}

/** A password for somebody who chose none: 96 random bits in four groups of six. */
export function generatePassword(random: Random): string {
  const text = Buffer.from(random.bytes(GENERATED_BYTES)).toString('hex');
  return text.replaceAll(/(.{6})(?=.)/g, '$1-');
}

/** The same text typed on another system must be the same bytes. */
function normalise(password: string): string {
  return password.normalize('NFKC');
}

interface StoredHash {
  readonly cost: Cost;
  readonly salt: Uint8Array;
  readonly tag: Uint8Array;
}

const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

function parsePhc(text: string): StoredHash | undefined {
  const [, memory, passes, parallelism, salt, tag] = PHC.exec(text) ?? [];
  if (salt === undefined || tag === undefined) return undefined;
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  const isSane =
    cost.parallelism >= 1 &&
    cost.memory >= 8 * cost.parallelism &&
    cost.memory <= STORED_MEMORY_KIB_MAX &&
    cost.passes >= 1 &&
    cost.passes <= STORED_PASSES_MAX;
  if (!isSane) return undefined;
  return { cost, salt: Buffer.from(salt, 'base64'), tag: Buffer.from(tag, 'base64') };
}

/** PHC strings use base64 without padding. */
function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '');
}
