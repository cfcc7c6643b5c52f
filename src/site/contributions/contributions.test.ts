// The page of content for the archive: what it takes beside the files, and what it keeps when it refuses.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlobRef } from '#base/ids.ts';
import { makeTorrent } from '#site/catalogue/test-catalogue.ts';
import { jpeg } from '#site/covers/test-pictures.ts';
import { TestSite } from '#site/test-site.ts';
import type { SiteContent } from '#site/world.ts';
import { MemoryStore } from '#store/memory.ts';

const UPLOAD = 'a'.repeat(32);
const WORDS = { title: 'Rain', category: 'datasets', tags: '', description: 'Since 1900.' };

/** An upload of one file as the page's script packs it. */
function pack(): Buffer {
  const list = Buffer.from(JSON.stringify([['rain.csv', 4]]));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(list.length);
  return Buffer.concat([Buffer.from('SKUPLD1\n'), length, list, Buffer.from('1,2\n')]);
}

async function openSite(): Promise<{ site: TestSite; told: string[] }> {
  const store = new MemoryStore();
  const told: string[] = [];
  const contributions = {
    uploadsPath: '/api/store/uploads',
    open: async (_member: unknown, id: string) => {
      const bytes = pack();
      if (id !== UPLOAD) return undefined;
      return {
        bytes: bytes.length,
        async *read({ start, end }: { start: number; end: number }) {
          yield bytes.subarray(start, end);
        },
        discard: async () => void told.push('discarded'),
      };
    },
    put: async ({ name }: { name: string }) => {
      told.push(`put ${name}`);
      return { ok: true, bytes: await makeTorrent({ name }), files: [] };
    },
    keep: async () => true,
  };
  const content = {
    isKept: async () => true,
    blob: async (ref: BlobRef) => await store.get(ref).catch(() => undefined),
    pictures: {
      put: async (bytes: Uint8Array) => (await store.put(bytes)).ref,
      maker: async () => undefined,
    },
    contributions,
  };
  const site = await TestSite.open({ content: () => content as unknown as SiteContent });
  await site.addMember('olga', 'admin');
  return { site, told };
}

test('S9: content for the archive has a cover, and a picture that is refused costs no second upload', async () => {
  const { site, told } = await openSite();
  const olga = await site.signedIn('olga');
  assert.match((await olga.get('/contribute')).text, /name="cover"[\s\S]*name="coverAlt"/);
  const sent = { ...WORDS, upload: UPLOAD, coverAlt: 'A gauge' };
  const svg = new Blob(['<svg/>']);
  const refused = await olga.post('/contribute', { ...sent, cover: svg });
  assert.equal(refused.status, 422);
  assert.match(refused.text, /send JPEG, PNG, WebP or AVIF/);
  assert.match(refused.text, /The files you sent are still here/);
  assert.match(refused.text, new RegExp(`name="upload" value="${UPLOAD}"`));
  assert.match(refused.text, /value="A gauge"/);
  assert.deepEqual(told, [], 'nothing was made, and the upload stays');

  const cover = new Blob([new Uint8Array(jpeg(30, 20))]);
  const saved = await olga.post('/contribute', { ...sent, cover });
  assert.equal(saved.status, 303, saved.text.slice(0, 2000));
  assert.deepEqual(told, ['put rain.csv', 'discarded']);
  const page = (await olga.get(saved.location)).text;
  assert.match(page, /<img class="cover" src="[^"]+" alt="A gauge" width="30" height="20">/);
  await site.close();
});

test('files that are chosen after a refusal are sent in the place of those before', async () => {
  const { site, told } = await openSite();
  const olga = await site.signedIn('olga');
  await olga.get('/contribute');
  const files = new File(['other'], 'other.csv');
  const saved = await olga.post('/contribute', { ...WORDS, upload: UPLOAD, files });
  assert.equal(saved.status, 303, saved.text.slice(0, 2000));
  assert.deepEqual(told, ['put other.csv']);
  await site.close();
});
