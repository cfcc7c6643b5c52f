// Descriptions are written in a part of Markdown: headings, paragraphs, lists, quotes, code, rules,
// tables, emphasis, links. There is no raw HTML, and there are no images: a page loads nothing from another
// host. Everything that is not markup known here is text and is escaped, so that the output has only
// the tags that this file writes. A library would be ten times the size of this and would need a
// sanitizer after it.
//
// Work is linear in the text: what a mark may look ahead is bounded by SPAN_CHARS_MAX.

import { raw } from 'hono/html';
import type { Html } from '#site/components/markup.ts';
import { cellsOf, isTableAt, TABLE_COLUMNS_MAX } from './markdown-table.ts';

/** Longest text between two marks of emphasis, and longest link. */
const SPAN_CHARS_MAX = 2000;
/** Marks that are looked at as the end of one emphasis. */
const CLOSERS_MAX = 16;
/** Quotes in quotes and lists in lists. */
const DEPTH_MAX = 4;
/** Headings of a description stand below the page's own h1 and h2. */
const HEADING_SHIFT = 2;

/** Safe to put into a page: text in, only the tags above out. */
export function markdown(text: string): Html {
  return raw(blocks(text.replace(/\r\n?/g, '\n').split('\n'), 0)) as Html;
}

function blocks(lines: readonly string[], depth: number): string {
  const out: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const block = readBlock(lines, at, depth);
    if (block.html !== '') out.push(block.html);
    at = block.next;
  }
  return out.join('\n');
}

interface Block {
  readonly html: string;
  readonly next: number;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^ {0,3}(?:[-*+]|(\d{1,9})[.)])(?:[ \t]+|$)/;

function readBlock(lines: readonly string[], at: number, depth: number): Block {
  const line = lines[at] ?? '';
  if (line.trim() === '') return { html: '', next: at + 1 };
  const fence = FENCE.exec(line)?.[1];
  if (fence !== undefined) return readCode(lines, at + 1, fence);
  const heading = HEADING.exec(line);
  if (heading !== null) {
    const level = Math.min(6, (heading[1] ?? '').length + HEADING_SHIFT);
    return { html: `<h${level}>${spans(heading[2] ?? '')}</h${level}>`, next: at + 1 };
  }
  if (RULE.test(line)) return { html: '<hr>', next: at + 1 };
  if (isTableAt(lines, at)) return readTable(lines, at);
  if (depth < DEPTH_MAX && QUOTE.test(line)) return readQuote(lines, at, depth);
  if (depth < DEPTH_MAX && ITEM.test(line)) return readList(lines, at, depth);
  return readParagraph(lines, at, depth);
}

function readCode(lines: readonly string[], from: number, fence: string): Block {
  let end = from;
  while (end < lines.length && !(lines[end] ?? '').trimStart().startsWith(fence)) end += 1;
  return {
    // With long lines it scrolls, which needs a place for the keyboard.
    html: `<pre tabindex="0"><code>${escapeText(lines.slice(from, end).join('\n'))}</code></pre>`,
    next: end + 1,
  };
}

function readQuote(lines: readonly string[], at: number, depth: number): Block {
  let next = at;
  while (next < lines.length && QUOTE.test(lines[next] ?? '')) next += 1;
  const inside = lines.slice(at, next).map((line) => line.replace(QUOTE, ''));
  return { html: `<blockquote>${blocks(inside, depth + 1)}</blockquote>`, next };
}

// An item is its first line and the lines indented below it; one empty line between is allowed.
function readList(lines: readonly string[], at: number, depth: number): Block {
  const first = ITEM.exec(lines[at] ?? '')?.[1];
  const indent = indentOf(lines[at] ?? '');
  const items: string[][] = [];
  let next = at;
  for (; next < lines.length; next++) {
    const line = lines[next] ?? '';
    const mark = ITEM.exec(line);
    if (mark !== null && !RULE.test(line) && indentOf(line) < indent + 2) {
      if ((mark[1] === undefined) !== (first === undefined)) break;
      items.push([line.slice(mark[0].length)]);
    } else if (/^(?: {2,}|\t)/.test(line)) items.at(-1)?.push(line.replace(/^(?: {1,4}|\t)/, ''));
    else if (line.trim() === '' && isListLine(lines[next + 1] ?? '')) items.at(-1)?.push('');
    else break;
  }
  const html = items.map((item) => `<li>${itemHtml(item, depth)}</li>`).join('');
  if (first === undefined) return { html: `<ul>${html}</ul>`, next };
  const start = Number(first);
  return { html: start === 1 ? `<ol>${html}</ol>` : `<ol start="${start}">${html}</ol>`, next };
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

function isListLine(line: string): boolean {
  return ITEM.test(line) || /^(?: {2,}|\t)\S/.test(line);
}

function itemHtml(lines: readonly string[], depth: number): string {
  const html = blocks(lines, depth + 1);
  // An item of one paragraph reads better without the paragraph's space around it.
  const only = /^<p>((?:(?!<p>)[\s\S])*?)<\/p>(\n<[uo]l[\s\S]*)?$/.exec(html);
  return only === null ? html : `${only[1]}${only[2] ?? ''}`;
}

/** As tables of pages stand, so that a narrow screen shows its rows as cards. */
function readTable(lines: readonly string[], at: number): Block {
  const labels = cellsOf(lines[at] ?? '').slice(0, TABLE_COLUMNS_MAX);
  const heads = labels.map((label) => `<th role="columnheader" scope="col">${spans(label)}</th>`);
  let next = at + 2;
  const rows: string[] = [];
  for (; (lines[next] ?? '').trimStart().startsWith('|'); next++) {
    const cells = cellsOf(lines[next] ?? '');
    const first = `<th role="rowheader" scope="row" class="title">${spans(cells[0] ?? '')}</th>`;
    const others = labels.slice(1).map((label, column) => {
      return `<td role="cell" data-label="${escapeText(label)}">${spans(cells[column + 1] ?? '')}</td>`;
    });
    rows.push(`<tr role="row">${first}${others.join('')}</tr>`);
  }
  const head = `<thead role="rowgroup"><tr role="row">${heads.join('')}</tr></thead>`;
  const html = `<div class="table-frame"><table class="table" role="table">${head}<tbody role="rowgroup">${rows.join('')}</tbody></table></div>`;
  return { html, next };
}

function readParagraph(lines: readonly string[], at: number, depth: number): Block {
  let next = at + 1;
  while (next < lines.length && !endsParagraph(lines[next] ?? '', depth)) next += 1;
  const text = lines.slice(at, next).map((line, row) => {
    const isBreak = at + row < next - 1 && /(?: {2,}|\\)$/.test(line);
    return isBreak ? `${spans(line.trim().replace(/\\$/, ''))}<br>` : spans(line.trim());
  });
  return { html: `<p>${text.join('\n')}</p>`, next };
}

function endsParagraph(line: string, depth: number): boolean {
  if (line.trim() === '' || FENCE.test(line) || HEADING.test(line) || RULE.test(line)) return true;
  return depth < DEPTH_MAX && (QUOTE.test(line) || ITEM.test(line));
}

// Marks that may begin something; what stands between them is text.
const MARKS = /[\\`*_~[<]|https?:\/\//g;
const PUNCTUATION = /[!-/:-@[-`{-~]/;

/** Within a line: code, emphasis, links. `[` in a link's text is text. */
function spans(text: string, inLink = false): string {
  let out = '';
  let done = 0;
  MARKS.lastIndex = 0;
  const marks = new RegExp(MARKS);
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    const found = span(text, mark.index, inLink);
    if (found === undefined) continue;
    out += escapeText(text.slice(done, mark.index)) + found.html;
    done = found.end;
    marks.lastIndex = done;
  }
  return out + escapeText(text.slice(done));
}

interface Span {
  readonly html: string;
  readonly end: number;
}

function span(text: string, at: number, inLink: boolean): Span | undefined {
  switch (text[at]) {
    case '\\': {
      const next = text[at + 1] ?? '';
      return PUNCTUATION.test(next) ? { html: escapeText(next), end: at + 2 } : undefined;
    }
    case '`':
      return codeSpan(text, at);
    case '*':
    case '_':
    case '~':
      return emphasis(text, at, inLink);
    case '[':
      return inLink ? undefined : namedLink(text, at);
    case '<':
      return inLink ? undefined : bareLink(text, at + 1, '>');
    default:
      return inLink ? undefined : bareLink(text, at, undefined);
  }
}

function codeSpan(text: string, at: number): Span | undefined {
  let size = 1;
  while (text[at + size] === '`') size += 1;
  const fence = '`'.repeat(size);
  const from = at + size;
  const end = within(text, from).indexOf(fence);
  // A run without its partner is text as a whole, or each of its marks would search again.
  if (end < 0) return { html: escapeText(fence), end: from };
  return {
    html: `<code>${escapeText(text.slice(from, from + end).trim())}</code>`,
    end: from + end + size,
  };
}

function emphasis(text: string, at: number, inLink: boolean): Span | undefined {
  const mark = text[at] ?? '';
  const isDouble = text[at + 1] === mark;
  if (mark === '~' && !isDouble) return undefined;
  const fence = isDouble ? mark + mark : mark;
  const from = at + fence.length;
  const before = text[at - 1] ?? ' ';
  // Names such as snake_case_name are not emphasis.
  if (/\s/.test(text[from] ?? ' ') || (mark === '_' && /[\p{L}\p{N}]/u.test(before))) {
    return undefined;
  }
  const inside = within(text, from);
  let end = inside.indexOf(fence, 1);
  for (
    let tried = 0;
    end > 0 && tried < CLOSERS_MAX;
    tried++, end = inside.indexOf(fence, end + 1)
  ) {
    const isWord = mark === '_' && /[\p{L}\p{N}]/u.test(inside[end + fence.length] ?? '');
    const isLonger = !isDouble && (inside[end + 1] === mark || inside[end - 1] === mark);
    if (/\s/.test(inside[end - 1] ?? '') || isWord || isLonger) continue;
    const tag = mark === '~' ? 's' : isDouble ? 'strong' : 'em';
    const html = `<${tag}>${spans(inside.slice(0, end), inLink)}</${tag}>`;
    return { html, end: from + end + fence.length };
  }
  return undefined;
}

function namedLink(text: string, at: number): Span | undefined {
  const found = /^\[([^[\]]{1,500})\]\(([^\s()<>]{1,1000})\)/.exec(
    text.slice(at, at + SPAN_CHARS_MAX),
  );
  if (found === null) return undefined;
  const [whole, label = '', target = ''] = found;
  const url = safeUrl(target);
  return url === undefined
    ? undefined
    : { html: link(url, spans(label, true)), end: at + whole.length };
}

function bareLink(text: string, at: number, close: string | undefined): Span | undefined {
  const found = /^https?:\/\/[^\s<>"'`]{1,1000}/.exec(within(text, at))?.[0];
  if (found === undefined || (close !== undefined && text[at + found.length] !== close)) {
    return undefined;
  }
  // What ends the sentence does not belong to the address.
  const trimmed = close === undefined ? found.replace(/[.,;:!?)*_~\]]+$/, '') : found;
  const url = safeUrl(trimmed);
  if (url === undefined) return undefined;
  return { html: link(url, escapeText(trimmed)), end: at + trimmed.length + (close?.length ?? 0) };
}

/** Web addresses and paths of this site; undefined for anything else, above all for scripts. */
function safeUrl(target: string): string | undefined {
  if (/^\/(?![/\\])/.test(target)) return target;
  const url = /^https?:\/\//i.test(target) ? URL.parse(target) : null;
  return url === null || url.username !== '' || url.password !== '' ? undefined : url.href;
}

function link(url: string, label: string): string {
  const isHere = url.startsWith('/');
  return `<a href="${escapeText(url)}"${isHere ? '' : ' rel="nofollow noopener noreferrer"'}>${label}</a>`;
}

function within(text: string, from: number): string {
  return text.slice(from, from + SPAN_CHARS_MAX);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (mark) => ENTITIES[mark] ?? mark);
}
