// Letters to members, sent beside the page that asks for them: how long the mail server takes says nothing
// about who exists, and a mail server that is away stops no page. Whatever fails is logged without the
// letter, which may hold a link.

import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';

export interface Mail {
  readonly to: string;
  readonly subject: string;
  /** Plain text. */
  readonly text: string;
}

/** The way to the mail server; cli brings it where one is configured. */
export interface Mailer {
  /** Rejects when the server did not take it. */
  send(mail: Mail): Promise<void>;
}

const UNDER_WAY_MAX = 100;

export class Mails {
  readonly #mailer: Mailer | undefined;
  readonly #logger: Logger;
  #underWay = 0;

  constructor(world: { readonly mailer?: Mailer; readonly logger: Logger }) {
    this.#mailer = world.mailer;
    this.#logger = world.logger;
  }

  get isConfigured(): boolean {
    return this.#mailer !== undefined;
  }

  /** Returns at once; a letter beyond a hundred under way is dropped and told to the operator. */
  post(mail: Mail): void {
    if (this.#mailer === undefined) return;
    if (this.#underWay >= UNDER_WAY_MAX) {
      this.#logger.warn('A letter was dropped: a hundred are under way');
      return;
    }
    this.#underWay += 1;
    this.#mailer
      .send(mail)
      .catch((error: unknown) => {
        this.#logger.warn('A letter could not be sent', { error: messageOf(error) });
      })
      .finally(() => {
        this.#underWay -= 1;
      });
  }
}
