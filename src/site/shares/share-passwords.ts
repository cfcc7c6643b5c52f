// Passwords of shares. Only wrong ones count, by the address they come from and the share they are for, so
// that nobody locks a share for others, and who has the password may come as often as they like at once:
// the tries of one address at one share are asked one after the other, and a password that was right is
// known for a while without being hashed again.

import { createHmac } from 'node:crypto';
import { toHex, utf8 } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { Passwords } from '#site/accounts/passwords.ts';
import { addressKey, RateLimit } from '#site/rate-limit.ts';
import { Turns } from '#site/turns.ts';
import type { Share } from './shares.ts';

const WRONG_MAX = 10;
const WRONG_PERIOD_MS = 600_000;
const WAITING_MAX = 32;
const KNOWN_MAX = 1000;
const KNOWN_MS = 600_000;
const PASSWORD_CHARS_MAX = 1000;

export type PasswordTry = 'right' | 'wrong' | 'too-many';

export interface SharePasswordsWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly passwords: Passwords;
  readonly config: { readonly rateLimitEntriesMax: number };
}

export class SharePasswords {
  readonly #world: SharePasswordsWorld;
  readonly #wrong: RateLimit;
  readonly #lines = new Map<string, { readonly turns: Turns; users: number }>();
  /** Until when passwords that were right are known, the oldest first. */
  readonly #known = new Map<string, number>();
  readonly #key: Uint8Array;

  constructor(world: SharePasswordsWorld) {
    this.#world = world;
    this.#key = world.random.bytes(32);
    this.#wrong = new RateLimit({
      ...{ clock: world.clock, attempts: WRONG_MAX, periodMs: WRONG_PERIOD_MS },
      entriesMax: world.config.rateLimitEntriesMax,
    });
  }

  /** @throws SiteError SITE_PASSWORDS_BUSY */
  async try(
    share: Pick<Share, 'id' | 'passwordHash'>,
    address: string,
    password: string,
  ): Promise<PasswordTry> {
    const proof = this.#proofOf(share, password);
    const nowMs = this.#world.clock.monotonicMs();
    if ((this.#known.get(proof) ?? 0) > nowMs) return 'right';
    const key = `${share.id} ${addressKey(address)}`;
    const line = this.#lines.get(key) ?? {
      turns: new Turns({ atOnce: 1, waitingMax: WAITING_MAX }),
      users: 0,
    };
    line.users += 1;
    this.#lines.set(key, line);
    try {
      const found = await line.turns.take(() => this.#ask(share, { key, proof, password }));
      return found ?? 'too-many';
    } finally {
      line.users -= 1;
      if (line.users === 0) this.#lines.delete(key);
    }
  }

  async #ask(
    share: Pick<Share, 'passwordHash'>,
    { key, proof, password }: { key: string; proof: string; password: string },
  ): Promise<PasswordTry> {
    const { clock, passwords } = this.#world;
    // Who waited in line may find that another of them was right.
    if ((this.#known.get(proof) ?? 0) > clock.monotonicMs()) return 'right';
    if (this.#wrong.take(key) > 0) return 'too-many';
    const text = password.slice(0, PASSWORD_CHARS_MAX);
    if (!(await passwords.verify(text, share.passwordHash))) return 'wrong';
    this.#wrong.giveBack(key);
    this.#known.delete(proof);
    this.#known.set(proof, clock.monotonicMs() + KNOWN_MS);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KNOWN_MAX) break;
      this.#known.delete(oldest);
    }
    return 'right';
  }

  /** Of a share, its password as it is now, and what was said: memory holds no password. */
  #proofOf({ id, passwordHash = '' }: Pick<Share, 'id' | 'passwordHash'>, said: string): string {
    const mac = createHmac('sha256', this.#key).update(`${id} ${passwordHash} `);
    return toHex(mac.update(utf8(said.normalize('NFKC'))).digest());
  }
}
