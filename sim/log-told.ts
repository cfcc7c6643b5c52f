// What the process of log-writer-process.ts has said that it was told, over any number of ends of it,
// and the comparison with the folder that it leaves: every record that was answered as on disk or read
// is there, at its offset, with its bytes; none is there twice, damaged, or that nobody wrote; the
// consumer stands where it committed last, or where it was about to.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import type { LogRecord } from '#log/log.ts';
import { verifyLog } from '#log/repair/verify.ts';
import { Registry } from '#metrics/registry.ts';
import type { PlantedBug } from './planted-disk.ts';

export const TOLD_TOPIC = 'events';
export const TOLD_CONSUMER = 'ledger';
const SCRIPT = fileURLToPath(new URL('./log-writer-process.ts', import.meta.url));
const LIFE_NUMBERS = 1_000_000;

/** Its key says what its value must be: from nothing to a few pages, so that ends fall inside. */
export function recordOf(writer: number, number: number): LogRecord & { readonly key: Uint8Array } {
  const text = `${writer}-${number}`;
  const size = number % 7 === 0 ? (number * 131) % 9000 : (number * 37) % 200;
  return { key: utf8(text), value: utf8(text.repeat(Math.ceil(size / text.length))) };
}

export function textOf({ key }: { readonly key?: Uint8Array }): string {
  return key === undefined ? '' : new TextDecoder().decode(key);
}

export interface WriterOptions {
  readonly folder: string;
  readonly kind: 'local' | 'loopback';
  readonly planted?: PlantedBug;
}

export class ToldLog {
  readonly #certain = new Map<number, string>();
  #lives = 0;
  #committed: number | undefined;
  #committing = new Set<number>();

  get records(): number {
    return this.#certain.size;
  }

  /**
   * Runs the process, and `end` once it has been told something; resolves after its end. `end` gives
   * the Unix milliseconds from which on it may have been told what is not so, or undefined.
   */
  async live(
    options: WriterOptions,
    end: (child: ChildProcess) => Promise<number | undefined>,
  ): Promise<void> {
    const { folder, kind, planted } = options;
    const first = this.#lives++ * LIFE_NUMBERS;
    const words = [folder, String(first), kind, ...(planted === undefined ? [] : [planted])];
    const child = spawn(process.execPath, ['-C', 'swarmkeep-src', SCRIPT, ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    let ending: Promise<number | undefined> | undefined;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (ending === undefined && output.includes('told ')) ending = end(child);
    });
    await once(child, 'close');
    assert.ok(ending !== undefined, 'the process wrote before its end');
    const endMs = await ending;
    // A line that was cut off in the middle told nobody anything.
    for (const line of output.split('\n').slice(0, -1)) {
      const [timeMs, ...words] = line.split(' ');
      const isLate = endMs !== undefined && Number(timeMs) >= endMs;
      if (!isLate || words[0] === 'committing') this.#hear(words);
    }
  }

  #hear([kind, number, text = '']: readonly string[]): void {
    const offset = Number(number);
    if (kind === 'committing') {
      this.#committing.add(offset);
    } else if (kind === 'committed') {
      this.#committing = new Set();
      this.#committed = offset;
    } else {
      const before = this.#certain.get(offset);
      assert.ok(
        before === undefined || before === text,
        `offset ${offset} was ${before} and ${text}`,
      );
      this.#certain.set(offset, text);
    }
  }

  /** Fails when anything is not as it was told. The process has ended. */
  async compare(folder: string): Promise<void> {
    const disk = new SystemDisk();
    const before = await verifyLog({ disk, folder });
    const damage = before.findings.filter(({ severity }) => severity === 'damage');
    assert.deepEqual(damage, []);
    const lines: LogLine[] = [];
    const log = await LocalLog.open({
      disk,
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger: memoryLogger(lines),
      metrics: new Registry(),
      config: logConfig.parse({}),
      folder,
    });
    try {
      await this.#compareRecords(log);
      const position = await log.position(TOLD_TOPIC, TOLD_CONSUMER);
      const isKnown = position === this.#committed || this.#committing.has(position ?? -1);
      assert.ok(isKnown, `the consumer is at ${position}, committed ${this.#committed}`);
      this.#committed = position;
      this.#committing.clear();
      assert.deepEqual(
        lines.filter(({ level }) => level === 'error'),
        [],
      );
    } finally {
      await log.close();
    }
  }

  async #compareRecords(log: LocalLog): Promise<void> {
    const found = new Map<number, string>();
    const seen = new Set<string>();
    for (let from = 0; ; ) {
      const { records, gaps, nextOffset } = await log.read(TOLD_TOPIC, { from });
      assert.deepEqual(gaps, []);
      if (records.length === 0) break;
      for (const record of records) {
        const text = textOf(record);
        assert.equal(record.offset, found.size, 'offsets have no hole');
        assert.equal(seen.has(text), false, `${text} is there twice`);
        const [writer = '', number = ''] = text.split('-');
        const { value } = recordOf(Number(writer), Number(number));
        assert.deepEqual(Buffer.from(record.value), Buffer.from(value), `the bytes of ${text}`);
        seen.add(text);
        found.set(record.offset, text);
      }
      from = nextOffset;
    }
    for (const [offset, text] of this.#certain) {
      assert.equal(found.get(offset), text, `offset ${offset}`);
    }
  }
}
