import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { openCatalogue } from './test-catalogue.ts';
import { type DraftWorld, discardDraft, findDraft, keepDraft } from './upload-drafts.ts';

forEachDatabase((name, open) => {
  test(`${name}: a draft is its uploader's alone, and goes when it is discarded or old`, async () => {
    const catalogue = await openCatalogue(open);
    const world: DraftWorld = { ...catalogue, random: new SeededRandom(1) };
    const bytes = new Uint8Array([1, 2, 3]);
    const id = await keepDraft(world, 5, bytes);
    assert.deepEqual(new Uint8Array((await findDraft(world, 5, id)) ?? []), bytes);
    assert.equal(await findDraft(world, 6, id), undefined);
    await discardDraft(world.sql, 6, id);
    assert.ok(await findDraft(world, 5, id));
    await discardDraft(world.sql, 5, id);
    assert.equal(await findDraft(world, 5, id), undefined);
    const other = await keepDraft(world, 5, bytes);
    catalogue.clock.advance(world.config.draftAgeMsMax + 1);
    assert.equal(await findDraft(world, 5, other), undefined);
    for (const odd of ['', 'x', `${other}0`, "' or 1=1"]) {
      assert.equal(await findDraft(world, 5, odd), undefined);
    }
    await world.sql.close();
  });

  test(`${name}: drafts of one member, and all together, are bounded; the oldest go`, async () => {
    const catalogue = await openCatalogue(open);
    const config = { ...catalogue.config, draftsPerMemberMax: 2, draftBytesMax: 1000 };
    const world: DraftWorld = { ...catalogue, config, random: new SeededRandom(1) };
    const keep = async (member: number, size: number): Promise<string> => {
      catalogue.clock.advance(1000);
      return await keepDraft(world, member, new Uint8Array(size));
    };
    const [a, b, c] = [await keep(1, 10), await keep(1, 10), await keep(1, 10)];
    assert.equal(await findDraft(world, 1, a), undefined);
    assert.ok((await findDraft(world, 1, b)) && (await findDraft(world, 1, c)));
    const large = await keep(2, 995);
    assert.ok(await findDraft(world, 2, large));
    assert.equal(await findDraft(world, 1, c), undefined);
    await world.sql.close();
  });
});
