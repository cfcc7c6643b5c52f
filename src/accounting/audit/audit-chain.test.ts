import assert from 'node:assert/strict';
import test from 'node:test';
import { type TestAnnounce, TestAnnounces } from '#accounting/test-announces.ts';
import {
  decodeTransfer,
  encodeTransfer,
  RECORD_FLAG,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import { AuditChain } from './audit-chain.ts';

/** A tier that comes back behind another, and a key that does. */
const STORY: readonly TestAnnounce[] = [
  { event: 'started', key: 1 },
  { uploaded: 1000, key: 1, at: 10 },
  { uploaded: 200, key: 1, at: 200 },
  { uploaded: 500, key: 1, at: 210 },
  { uploaded: 1400, key: 1, at: 400 },
  { event: 'started', key: 2, at: 410 },
  { uploaded: 50, key: 2, at: 420 },
  { uploaded: 1700, key: 1, at: 430 },
];

/** What the chain says of the story's records, one of them changed, those in `without` left out. */
function problems(options: {
  readonly at?: number;
  readonly change?: (record: TransferRecord) => Partial<TransferRecord>;
  readonly without?: readonly number[];
  readonly isCut?: boolean;
}): string[] {
  const announces = new TestAnnounces();
  const found: string[] = [];
  const chain = new AuditChain({
    baselinesMax: 4,
    isCut: options.isCut ?? false,
    report: (problem) => found.push(problem.slice(problem.lastIndexOf(': ') + 2)),
  });
  for (const [offset, announce] of STORY.entries()) {
    const bytes = announces.announce(announce);
    const record = decodeTransfer(bytes)!;
    const changed = { ...record, ...(offset === options.at ? options.change?.(record) : {}) };
    encodeTransfer(bytes, 0, changed);
    if (options.without?.includes(offset) !== true) chain.check(offset, bytes, changed);
  }
  return found;
}

test('a record that resumes a stream is measured from what the records before it leave', () => {
  assert.deepEqual(problems({}), []);
  for (const at of [4, 7]) {
    for (const more of [-1, 1]) {
      const change = ({ uploadedDelta }: TransferRecord) => ({
        uploadedDelta: uploadedDelta + more,
      });
      assert.deepEqual(problems({ at, change }), [
        'it resumes a stream that the records before it do not leave',
      ]);
    }
  }
});

test('a record that is no longer marked as resumed, or marked and none, is found', () => {
  const { resumed } = RECORD_FLAG;
  assert.ok(problems({ at: 4, change: () => ({ flags: 0 }) }).length > 0);
  assert.ok(problems({ at: 1, change: () => ({ flags: resumed }) }).length > 0);
});

test('where the beginning of the log is gone, a stream that was left there may be resumed', () => {
  assert.deepEqual(problems({ without: [0, 1, 2], isCut: true }), []);
});
