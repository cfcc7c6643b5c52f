// A member's browser without a page: signs in by the site's form and keeps the cookies, for tests of what
// pages give to download.

export class SiteVisitor {
  readonly siteUrl: string;
  readonly #cookies = new Map<string, string>();
  #csrf = '';

  private constructor(siteUrl: string) {
    this.siteUrl = siteUrl;
  }

  static async signIn(siteUrl: string, name: string, password: string): Promise<SiteVisitor> {
    const visitor = new SiteVisitor(siteUrl);
    await visitor.get('/sign-in');
    const answer = await visitor.post('/sign-in', { name, password });
    if (answer.status !== 303) throw new Error(`${name} could not sign in: ${answer.status}`);
    return visitor;
  }

  static stranger(siteUrl: string): SiteVisitor {
    return new SiteVisitor(siteUrl);
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return this.#send(path, { headers });
  }

  /** With the token of the page that was seen last. */
  post(path: string, fields: Readonly<Record<string, string>>): Promise<Response> {
    const body = new URLSearchParams({ csrf: this.#csrf, ...fields });
    return this.#send(path, { method: 'POST', body });
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...(init.headers as Record<string, string> | undefined), cookie };
    const answer = await fetch(this.siteUrl + path, { ...init, headers, redirect: 'manual' });
    for (const line of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = line.split(';', 1)[0]?.split('=') ?? [];
      this.#cookies.set(name, value);
    }
    if (answer.headers.get('content-type')?.startsWith('text/html') === true) {
      const text = await answer.clone().text();
      this.#csrf = /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? this.#csrf;
    }
    return answer;
  }
}
