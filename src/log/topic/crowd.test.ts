import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimClock } from '#sim/clock.ts';
import { Crowd } from './crowd.ts';

describe('a crowd', () => {
  it('is waited for until three of four are there again', async () => {
    const crowd = new Crowd(new SimClock(), 1);
    crowd.served(30, 10);
    let isReady = false;
    const gathered = crowd.gather(10)?.then(() => {
      isReady = true;
    });
    crowd.came(29);
    await null;
    assert.equal(isReady, false);
    crowd.came(30);
    await gathered;
    assert.equal(isReady, true);
    assert.equal(crowd.gather(30), undefined);
  });

  it('is not waited for longer than its bound', async () => {
    const clock = new SimClock();
    const crowd = new Crowd(clock, 5);
    crowd.served(40, 0);
    const sinceMs = clock.monotonicMs();
    const gathered = crowd.gather(1);
    clock.advance(5);
    await gathered;
    assert.equal(clock.monotonicMs() - sinceMs, 5);
  });

  it('of fewer than four, or with no time to wait, is none', () => {
    const crowd = new Crowd(new SimClock(), 1);
    crowd.served(2, 1);
    assert.equal(crowd.gather(0), undefined);
    const hasty = new Crowd(new SimClock(), 0);
    hasty.served(40, 40);
    assert.equal(hasty.gather(1), undefined);
  });

  it('that is large is served half at a time', () => {
    const crowd = new Crowd(new SimClock(), 1);
    assert.equal(crowd.portion(1000), 1000);
    crowd.served(1000, 0);
    assert.equal(crowd.portion(1000), 500);
    crowd.served(500, 500);
    assert.equal(crowd.portion(500), 500);
    assert.equal(crowd.gather(500), undefined);
    crowd.served(100, 100);
    assert.equal(crowd.portion(200), 200);
  });
});
