// The event log as the operator sees it: what is in each topic, and how far its readers are.

import { html } from 'hono/html';
import type { TopicStats } from '#log/log.ts';
import { emptyState } from '#site/components/empty-state.ts';
import { bytes, timeAgo } from '#site/components/figures.ts';
import type { Html } from '#site/components/markup.ts';
import { pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { table } from '#site/components/table.ts';
import { formatCount, plural } from '#site/format/number.ts';
import type { Visit } from '#site/visit.ts';
import type { Sql } from '#sql/sql.ts';
import { inConsole } from './console-views.ts';

interface Reader {
  readonly topic: string;
  readonly name: string;
  readonly offset: number;
  readonly lag: number;
  /** Where it keeps its position. */
  readonly keptIn: 'the log' | 'the database';
}

interface PositionTables {
  consumer_position: { consumer: string; next_offset: number };
}

/** Whose positions stand in the database, beside what follows from the topic. */
const TOPIC_OF: Readonly<Record<string, string>> = { ledger: 'transfers', outbox: 'control' };

/** What is in each topic, and how far its readers are. */
export async function logState({ parts }: Visit): Promise<{
  readonly topics: readonly TopicStats[];
  readonly readers: readonly Reader[];
}> {
  const known = await parts.log.topics();
  // Only `stats` of a topic alone tells its readers.
  const topics = await Promise.all(known.map(({ name }) => parts.log.stats(name)));
  return { topics, readers: [...logReaders(topics), ...(await sqlReaders(parts.sql, topics))] };
}

export async function showLog(visit: Visit): Promise<Response> {
  const { nowMs } = visit;
  const { topics, readers } = await logState(visit);
  const behind = readers.filter((reader) => reader.lag > 0).length;
  const head = pageHead({
    title: 'Event log',
    lead:
      behind === 0
        ? 'Every reader has read everything.'
        : `${plural(behind, 'reader')} with something left to read.`,
  });
  const body = html`${head}<div class="stack">${topicsPanel(topics, nowMs)}${readersPanel(readers)}</div>`;
  const main = inConsole('log', body);
  return await visit.page({ title: 'Event log', main, section: 'console' });
}

function logReaders(topics: readonly TopicStats[]): readonly Reader[] {
  return topics.flatMap(({ name: topic, consumers = [] }) =>
    consumers.map((one) => ({ topic, ...one, keptIn: 'the log' as const })),
  );
}

/** Those whose position moves with what they write. */
async function sqlReaders(sql: Sql, topics: readonly TopicStats[]): Promise<readonly Reader[]> {
  const rows = await sql
    .read<PositionTables>()
    .selectFrom('consumer_position')
    .select(['consumer', 'next_offset'])
    .orderBy('consumer')
    .limit(1000)
    .execute();
  return rows.map(({ consumer: name, next_offset: offset }) => {
    const topic = TOPIC_OF[name] ?? name;
    const end = topics.find((one) => one.name === topic)?.nextOffset ?? offset;
    return { topic, name, offset, lag: Math.max(0, end - offset), keptIn: 'the database' };
  });
}

function topicsPanel(topics: readonly TopicStats[], nowMs: number): Html {
  if (topics.length === 0) {
    return emptyState({
      title: 'The log has no topic yet',
      text: 'The server makes those that it needs when it starts.',
      icon: 'info',
    });
  }
  const body = table({
    caption: 'Topics of the log',
    rows: topics,
    columns: [
      { label: 'Topic', kind: 'title', cell: (one) => html`<code>${one.name}</code>` },
      {
        label: 'Records',
        kind: 'figure',
        cell: (one) => formatCount(one.nextOffset - one.firstOffset),
      },
      { label: 'Next offset', kind: 'figure', cell: (one) => formatCount(one.nextOffset) },
      {
        label: 'Not on disk yet',
        kind: 'figure',
        cell: (one) => formatCount(one.nextOffset - one.durableOffset),
      },
      { label: 'Size', kind: 'figure', cell: (one) => bytes(one.bytes) },
      { label: 'Files', kind: 'figure', cell: (one) => formatCount(one.segments) },
      {
        label: 'Proven',
        kind: 'figure',
        cell: ({ scrub }) => (scrub === undefined ? 'not yet' : timeAgo(scrub.finishedMs, nowMs)),
      },
    ],
  });
  return panel({ title: 'Topics', body, flush: true });
}

function readersPanel(readers: readonly Reader[]): Html {
  if (readers.length === 0) {
    return panel({ title: 'Readers', body: html`<p class="muted">Nobody has read yet.</p>` });
  }
  const body = table({
    caption: 'Readers of the log',
    rows: readers,
    columns: [
      { label: 'Reader', kind: 'title', cell: (one) => one.name },
      { label: 'Topic', cell: (one) => html`<code>${one.topic}</code>` },
      { label: 'Keeps its place in', cell: (one) => one.keptIn },
      { label: 'Reads next', kind: 'figure', cell: (one) => formatCount(one.offset) },
      { label: 'Behind', kind: 'figure', cell: (one) => formatCount(one.lag) },
    ],
  });
  return panel({ title: 'Readers', body, flush: true });
}
