// What must not be possible, whoever tries.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstRunPath } from './accounts/first-run.ts';
import { TEST_PASSWORD, TestBrowser, TestSite } from './test-site.ts';

async function withSite(
  run: (site: TestSite) => Promise<void>,
  options: Parameters<typeof TestSite.open>[0] = {},
): Promise<void> {
  const site = await TestSite.open(options);
  try {
    await run(site);
  } finally {
    await site.close();
  }
}

test('a form without its token, or with that of another session, changes nothing', async () => {
  await withSite(async (site) => {
    await site.addMember('olga');
    const before = await site.addMember('mina');
    const olga = await site.signedIn('olga');
    const mina = await site.signedIn('mina');
    await olga.get('/me/passkey/reset');
    await mina.get('/me/passkey/reset');
    for (const csrf of ['', olga.csrf, `${mina.csrf}x`, mina.csrf.slice(1)]) {
      const page = await mina.post('/me/passkey/reset', { csrf });
      assert.equal(page.status, 403);
      mina.csrf = '';
      await mina.get('/me/passkey/reset');
    }
    assert.match((await mina.get('/members/mina')).text, new RegExp(before.passkey));
    assert.equal((await mina.post('/me/passkey/reset')).status, 303);
  });
});

test('a form from another site is refused even with the right token', async () => {
  await withSite(async (site) => {
    await site.addMember('mina');
    const mina = await site.signedIn('mina');
    await mina.get('/me/passkey/reset');
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:8080' },
    ];
    for (const headers of foreign) {
      const page = await mina.post('/me/passkey/reset', {}, headers);
      assert.equal(page.status, 403, JSON.stringify(headers));
      assert.match(page.text, /came from somewhere else/);
    }
    const own = { 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1:8080' };
    assert.equal((await mina.post('/me/passkey/reset', {}, own)).status, 303);
  });
});

test('a body is refused by its header, and one that lies about its size while it comes', async () => {
  await withSite(
    async (site) => {
      const browser = site.browser();
      await browser.get('/sign-in');
      const long = await browser.post('/sign-in', { name: 'x'.repeat(10_000) });
      assert.equal(long.status, 413);
      let sent = 0;
      const endless = new ReadableStream<Uint8Array>({
        pull(controller) {
          sent += 1024;
          controller.enqueue(new Uint8Array(1024).fill(0x61));
        },
      });
      const request = new Request('http://127.0.0.1:8080/sign-in', {
        method: 'POST',
        body: endless,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        duplex: 'half',
      } as RequestInit);
      assert.equal((await browser.send(request)).status, 413);
      assert.ok(sent < 20_000, `${sent} bytes were taken`);
    },
    { config: { formBytesMax: 8192 } },
  );
});

test('only forms are taken, and a torn one is refused in words', async () => {
  await withSite(async (site) => {
    const browser = site.browser();
    await browser.get('/sign-in');
    const send = async (type: string, body: string): Promise<number> => {
      const headers = { 'content-type': type };
      const init = { method: 'POST', body, headers };
      return (await browser.send(new Request('http://127.0.0.1:8080/sign-in', init))).status;
    };
    assert.equal(await send('application/json', '{}'), 415);
    assert.equal(await send('text/plain', 'csrf=1'), 415);
    assert.equal(await send('multipart/form-data; boundary=x', '--x\r\nbroken'), 400);
    assert.equal(await send('multipart/form-data', 'no boundary'), 400);
  });
});

test('guessing passwords is slowed down by address and by name, and good ones do not count', async () => {
  await withSite(
    async (site) => {
      await site.addMember('olga');
      const wrong = { name: 'olga', password: 'wrong password' };
      const browser = site.browser('10.1.1.1');
      await browser.get('/sign-in');
      for (let time = 0; time < 3; time++) {
        assert.equal((await browser.post('/sign-in', wrong)).status, 422);
      }
      const stopped = await browser.post('/sign-in', wrong);
      assert.equal(stopped.status, 429);
      assert.ok(Number(stopped.headers.get('retry-after')) > 0);
      const elsewhere = site.browser('10.1.1.2');
      await elsewhere.get('/sign-in');
      assert.equal((await elsewhere.post('/sign-in', wrong)).status, 422);
      assert.equal((await elsewhere.post('/sign-in', wrong)).status, 422);
      // Five for this name in all: the next one is stopped wherever it comes from.
      const third = site.browser('10.1.1.3');
      await third.get('/sign-in');
      assert.equal((await third.post('/sign-in', wrong)).status, 429);
      site.clock.advance(61_000);
      for (let time = 0; time < 10; time++) await site.signedIn('olga');
    },
    { config: { signInsPerMinute: 3, signInsPerNamePerMinute: 5 } },
  );
});

test('strangers who fail on purpose lock nobody out of a browser that was signed in before', async () => {
  await withSite(
    async (site) => {
      await site.addMember('olga');
      await site.addMember('mina');
      const olga = await site.signedIn('olga');
      await olga.get('/me/password');
      assert.equal((await olga.post('/sign-out')).status, 303);
      let stranger = 0;
      const fail = async (): Promise<number> => {
        const browser = site.browser(`10.2.0.${++stranger}`);
        // A cookie of another member, or a made-up one, is worth nothing.
        const known = olga.cookies.get('swarmkeep-known') ?? '';
        if (stranger % 3 === 1) browser.cookies.set('swarmkeep-known', `${known.slice(0, -1)}!`);
        if (stranger % 3 === 2) {
          const mina = await site.signedIn('mina');
          browser.cookies.set('swarmkeep-known', mina.cookies.get('swarmkeep-known') ?? '');
        }
        await browser.get('/sign-in');
        return (await browser.post('/sign-in', { name: 'olga', password: 'wrong' })).status;
      };
      for (let time = 0; time < 5; time++) assert.equal(await fail(), 422);
      for (let time = 0; time < 3; time++) assert.equal(await fail(), 429);
      const good = { name: 'Olga', password: TEST_PASSWORD };
      const fresh = site.browser('10.2.1.1');
      await fresh.get('/sign-in');
      assert.equal((await fresh.post('/sign-in', good)).status, 429);
      await olga.get('/sign-in');
      assert.equal((await olga.post('/sign-in', good)).status, 303);
      // Nor is a member who is signed in kept from a new password by them.
      await olga.get('/me/password');
      const change = { current: TEST_PASSWORD, password: 'another lamp by the river' };
      assert.equal((await olga.post('/me/password', change)).status, 303);
      // The browser is known for its own attempts only, of which it has as many as a name.
      await olga.get('/me/password');
      await olga.post('/sign-out');
      await olga.get('/sign-in');
      for (let time = 0; time < 5; time++) {
        assert.equal((await olga.post('/sign-in', { ...good, password: 'x' })).status, 422);
      }
      assert.equal((await olga.post('/sign-in', good)).status, 429);
    },
    { config: { signInsPerMinute: 8, signInsPerNamePerMinute: 5 } },
  );
});

test('the answer to a wrong password and to an unknown name is the same', async () => {
  await withSite(async (site) => {
    await site.addMember('olga');
    const browser = site.browser();
    await browser.get('/sign-in');
    const known = await browser.post('/sign-in', { name: 'olga', password: 'wrong password' });
    const unknown = await browser.post('/sign-in', { name: 'nobody', password: 'wrong password' });
    assert.equal(known.status, unknown.status);
    const same = (text: string): string =>
      text.replaceAll('olga', 'nobody').replaceAll(/name="csrf" value="[^"]+"/g, '');
    assert.equal(same(known.text), same(unknown.text));
  });
});

test('addresses that a stranger claims are not believed, those of a named proxy are', async () => {
  const guess = async (site: TestSite, forwarded: string): Promise<number> => {
    const browser = site.browser('10.9.9.9');
    await browser.get('/sign-in');
    const fields = { name: `someone-${forwarded}`, password: 'wrong password' };
    return (await browser.post('/sign-in', fields, { 'x-forwarded-for': forwarded })).status;
  };
  const config = { signInsPerMinute: 1 };
  await withSite(
    async (site) => {
      assert.equal(await guess(site, '1.1.1.1'), 422);
      assert.equal(await guess(site, '2.2.2.2'), 429);
    },
    { config },
  );
  await withSite(
    async (site) => {
      assert.equal(await guess(site, '1.1.1.1'), 422);
      assert.equal(await guess(site, '2.2.2.2'), 422);
      // What a visitor put in front of the proxy's own word does not count.
      assert.equal(await guess(site, '3.3.3.3, 2.2.2.2'), 429);
    },
    { config: { ...config, proxies: ['10.9.9.9'] } },
  );
});

test('signing in gives a new token: one that was planted before is worth nothing', async () => {
  await withSite(async (site) => {
    await site.addMember('olga');
    const browser = site.browser();
    const planted = 'A'.repeat(43);
    browser.cookies.set('swarmkeep', planted);
    await browser.get('/sign-in');
    await browser.post('/sign-in', { name: 'olga', password: TEST_PASSWORD });
    const token = browser.cookies.get('swarmkeep');
    assert.ok(token !== undefined && token !== planted);
    const thief = site.browser();
    thief.cookies.set('swarmkeep', planted);
    assert.equal((await thief.get('/me/sessions')).status, 303);
  });
});

test('after signing in nobody is sent to another site', async () => {
  await withSite(async (site) => {
    await site.addMember('olga');
    const targets = ['https://evil.example/', '//evil.example', '/\\evil.example', '\\/evil', 'x'];
    for (const next of targets) {
      const browser = site.browser();
      const page = await browser.get(`/sign-in?next=${encodeURIComponent(next)}`);
      assert.doesNotMatch(page.text, /name="next" value="[^"]/);
      const fields = { name: 'olga', password: TEST_PASSWORD, next };
      assert.equal((await browser.post('/sign-in', fields)).location, '/torrents');
    }
    const browser = site.browser();
    const asked = await browser.get('/members/olga?after=3');
    assert.equal(asked.location, '/sign-in?next=%2Fmembers%2Folga%3Fafter%3D3');
    await browser.get(asked.location);
    const fields = { name: 'olga', password: TEST_PASSWORD, next: '/members/olga?after=3' };
    assert.equal((await browser.post('/sign-in', fields)).location, '/members/olga?after=3');
    await browser.get('/members/olga');
    const theme = await browser.post('/theme', { theme: 'dark', back: '//evil.example' });
    assert.equal(theme.location, '/');
  });
});

test('every answer carries the headers, and cookies are out of reach of scripts', async () => {
  await withSite(
    async (site) => {
      await site.addMember('olga');
      const browser = new TestBrowser(site.site, '10.0.0.1', 'swarm.example.org');
      const pages = [
        await browser.get('/'),
        await browser.get('/nothing'),
        await browser.get('/torrents'),
        await browser.get(
          /href="(\/assets\/[^"]+)"/.exec((await browser.get('/')).text)?.[1] ?? '',
        ),
      ];
      for (const page of pages) {
        const policy = page.headers.get('content-security-policy') ?? '';
        assert.match(policy, /default-src 'none'/);
        assert.doesNotMatch(policy, /unsafe/);
        assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
        assert.match(page.headers.get('strict-transport-security') ?? '', /max-age/);
        assert.ok(page.headers.has('cache-control'));
      }
      await browser.get('/sign-in');
      await browser.post('/sign-in', { name: 'olga', password: TEST_PASSWORD });
      assert.deepEqual([...browser.cookies.keys()], ['__Host-swarmkeep', '__Host-swarmkeep-known']);
    },
    { publicUrl: 'https://swarm.example.org' },
  );
});

test('a session cookie is HttpOnly and SameSite, and Secure by the public https address only', async () => {
  await withSite(
    async (site) => {
      await site.addMember('olga');
      for (const [host, isSecure] of [
        ['swarm.example.org', true],
        ['192.0.2.7:8080', false],
      ] as const) {
        const browser = new TestBrowser(site.site, '10.0.0.1', host);
        await browser.get('/sign-in');
        const page = await browser.post('/sign-in', { name: 'olga', password: TEST_PASSWORD });
        const cookie = page.headers.getSetCookie().find((one) => !/max-age=0/i.test(one)) ?? '';
        assert.match(cookie, /HttpOnly/);
        assert.match(cookie, /SameSite=Lax/);
        assert.equal(/Secure/.test(cookie), isSecure, host);
      }
    },
    { publicUrl: 'https://swarm.example.org' },
  );
});

test('one member never ends the session, voids the invite or sees the keys of another', async () => {
  await withSite(async (site) => {
    const olga = await site.addMember('olga');
    await site.addMember('mina');
    const owner = await site.signedIn('olga');
    await owner.get('/me/invites');
    await owner.post('/me/invites', { note: 'for a friend of olga' });
    const thief = await site.signedIn('mina');
    await thief.get('/me/sessions');
    for (let id = 0; id < 10; id++) {
      const mine = /\/me\/sessions\/(\d+)\/revoke/.exec(
        (await thief.get('/me/sessions')).text,
      )?.[1];
      if (String(id) !== mine) {
        assert.equal((await thief.post(`/me/sessions/${id}/revoke`)).status, 404, `session ${id}`);
      }
      assert.equal((await thief.post(`/me/invites/${id}/revoke`)).status, 404, `invite ${id}`);
    }
    assert.equal((await owner.get('/me/sessions')).status, 200);
    assert.match((await owner.get('/me/invites')).text, /badge-accent">Open/);
    const seen = [
      await thief.get('/members/olga'),
      await thief.get('/members'),
      await thief.get('/me/invites'),
      await thief.get('/me/sessions'),
      await thief.get('/torrents'),
    ];
    for (const page of seen) {
      assert.ok(!page.text.includes(olga.passkey));
      assert.doesNotMatch(page.text, /for a friend of olga/);
    }
    assert.doesNotMatch(seen[0]?.text ?? '', /Announce address|Active now|History/);
    assert.match((await owner.get('/members/olga')).text, /Announce address/);
  });
});

test('an admin sees what a member moved, and never their passkey', async () => {
  await withSite(async (site) => {
    const mina = await site.addMember('mina');
    await site.addMember('olga', 'admin');
    const admin = await site.signedIn('olga');
    const page = await admin.get('/members/mina');
    assert.match(page.text, /History/);
    assert.ok(!page.text.includes(mina.passkey));
    assert.ok(!(await admin.get('/console/members/mina')).text.includes(mina.passkey));
  });
});

test('no password, passkey, token or link stands in the log or in metrics', async () => {
  await withSite(async (site) => {
    const path = (await firstRunPath(site.world)) ?? '';
    const admin = site.browser();
    await admin.get(path);
    await admin.post(path, { siteName: 'Room', name: 'olga', password: TEST_PASSWORD });
    await admin.get('/me/invites');
    const invite = /\/join\/([\w-]{43})/.exec((await admin.post('/me/invites')).text)?.[1] ?? '';
    const guest = site.browser();
    await guest.get(`/join/${invite}`);
    await guest.post(`/join/${invite}`, { name: 'mina', password: 'another password' });
    const profile = await guest.get('/members/mina');
    const passkey = /6969\/([\w-]{32})\/announce/.exec(profile.text)?.[1] ?? '';
    await guest.post('/sign-in', { name: 'mina', password: 'a mistyped password' });
    await admin.get('/console/members/mina/ban');
    await admin.post('/console/members/mina/ban', { reason: 'test' });
    const metrics = JSON.stringify(site.world.metrics.collect());
    const said = JSON.stringify(site.lines) + metrics;
    assert.ok(site.lines.length > 0 && metrics.includes('swarmkeep_site_requests_total'));
    const tokens = [...admin.cookies.values(), ...guest.cookies.values()];
    const token = path.slice('/first-run/'.length);
    const passwords = [TEST_PASSWORD, 'another password', 'a mistyped password'];
    for (const secret of [token, invite, passkey, ...passwords, ...tokens]) {
      assert.ok(secret.length > 5 && !said.includes(secret), secret);
    }
  });
});

test('what people write is shown as they wrote it, never as markup', async () => {
  await withSite(async (site) => {
    await site.addMember('olga', 'admin');
    const olga = await site.signedIn('olga');
    const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'>`;
    await olga.get('/me/invites');
    await olga.post('/me/invites', { note: evil });
    await olga.get('/console/settings');
    const settings = { siteName: evil.slice(0, 60), signUpMode: 'open', trackerMode: '' };
    await olga.post('/console/settings', settings);
    await site.addMember('mina');
    await olga.get('/console/members/mina/ban');
    await olga.post('/console/members/mina/ban', { reason: evil });
    const paths = [
      '/me/invites',
      '/members/mina',
      '/console/members/mina',
      '/members',
      '/torrents',
    ];
    for (const path of [...paths, `/torrents?q=${encodeURIComponent(evil)}`, '/console/settings']) {
      const { text } = await olga.get(path, { 'user-agent': evil });
      assert.doesNotMatch(text, /<script(?! src="\/assets\/)|<img/, path);
    }
    assert.match((await olga.get('/me/invites')).text, /&lt;script&gt;alert\(1\)/);
    const spy = site.browser();
    await spy.get('/sign-in');
    await spy.post('/sign-in', { name: 'olga', password: TEST_PASSWORD }, { 'user-agent': evil });
    assert.doesNotMatch((await spy.get('/me/sessions')).text, /<script|<img/);
  });
});

test('a request that fails inside is a page with a number, and the log has the reason', async () => {
  await withSite(async (site) => {
    await site.addMember('olga');
    const olga = await site.signedIn('olga');
    site.world.swarms.peersOfMember = () => {
      throw new Error('shared memory is gone');
    };
    const page = await olga.get('/nothing-here');
    assert.ok([500, 503].includes(page.status));
    assert.doesNotMatch(page.text, /shared memory is gone/);
    assert.ok(site.lines.some((line) => JSON.stringify(line).includes('shared memory is gone')));
  });
});

test('more requests at once than requestsMax are answered 503 at once', async () => {
  await withSite(
    async (site) => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, at) => site.browser(`10.0.0.${at}`).get('/sign-in')),
      );
      assert.ok(answers.some((page) => page.status === 503));
      assert.ok(answers.some((page) => page.status === 200));
      assert.equal((await site.browser().get('/sign-in')).status, 200);
    },
    { config: { requestsMax: 2 } },
  );
});

test('paths that try to leave the site find nothing', async () => {
  await withSite(async (site) => {
    const browser = site.browser();
    const paths = [
      '/assets/x/..%2f..%2fpackage.json',
      '/assets/x/%2e%2e/%2e%2e/etc/passwd',
      '/assets/../package.json',
      '/members/%00',
      '/members/%ff%fe',
      '/%',
    ];
    for (const path of paths) {
      const { status } = await browser.get(path);
      assert.ok([303, 404].includes(status), `${path}: ${status}`);
    }
  });
});

test('a form whose body is broken off is refused, and is no failure of the site', () =>
  withSite(async (site) => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from('name=mi'));
        controller.error(new Error('The client went'));
      },
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const init = { method: 'POST', body, headers, duplex: 'half' } as const;
    const page = await site.browser().send(new Request('http://127.0.0.1:8080/sign-in', init));
    assert.equal(page.status, 400);
    assert.deepEqual(
      site.lines.filter((line) => line.level === 'error'),
      [],
    );
  }));
