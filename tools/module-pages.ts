// A page for each module of the package that other programs import: what it exports, with its docstrings,
// taken from its source. What stands in `exports` of package.json is public, and nothing else.

import { existsSync, readFileSync } from 'node:fs';
import { ROOT } from './child-process.ts';

interface Exported {
  readonly name: string;
  readonly words: string;
  readonly code: string;
}

/** Name below docs/generated/, and content. */
export function modulePages(madeBy: string): ReadonlyMap<string, string> {
  const { exports } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as {
    readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  };
  const pages = new Map<string, string>();
  const rows: string[] = [];
  for (const [entry, target] of Object.entries(exports)) {
    if (typeof target === 'string') continue;
    const path = target['swarmkeep-src']?.slice(2) ?? '';
    const name = `swarmkeep${entry.slice(1)}`;
    const file = `${name.replaceAll('/', '-')}.md`;
    pages.set(`modules/${file}`, modulePage(name, path, madeBy));
    rows.push(`| [${name}](${file}) | \`${path}\` |`);
  }
  const head = '| module | source |\n|---|---|';
  pages.set('modules/index.md', `# Modules\n\n${madeBy}\n\n${head}\n${rows.join('\n')}\n`);
  return pages;
}

function modulePage(name: string, path: string, madeBy: string): string {
  const text = readFileSync(`${ROOT}${path}`, 'utf8');
  const parts = exportsOf(text, path).map(
    ({ name: of, words, code }) =>
      `## ${of}\n\n${words === '' ? '' : `${words}\n\n`}\`\`\`ts\n${code}\n\`\`\``,
  );
  return `# ${name}\n\n${madeBy}\n\n${headerOf(text)}\n\n${parts.join('\n\n')}\n\n[All modules](index.md)\n`;
}

/** The comment that the file opens with. */
function headerOf(text: string): string {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  return lines
    .slice(0, end)
    .map((line) => line.replace(/^\/\/ ?/, ''))
    .join('\n')
    .trim();
}

const DECLARED =
  /(?:^\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?^export (?:declare )?(?:async )?(const|function\*?|class|interface|type) (\w+)/gm;
const PASSED_ON = /^export (?:type )?\{([^}]*)\} from '([^']+)';/gm;

/** In the order of the file; what it passes on from other files of the house last. */
function exportsOf(text: string, path: string): Exported[] {
  const own = [...text.matchAll(DECLARED)].map((match) => {
    const [whole, words = '', kind = '', name = ''] = match;
    const from = match.index + whole.lastIndexOf('export ');
    return { name, words: docWords(words), code: codeOf(text.slice(from), kind) };
  });
  const others = [...text.matchAll(PASSED_ON)].flatMap(([, names = '', from = '']) => {
    const file = sourceOf(from, path);
    const there = file === undefined ? [] : exportsOf(readFileSync(`${ROOT}${file}`, 'utf8'), file);
    return names
      .split(',')
      .map((one) => one.replace(/\btype\b/, '').trim())
      .filter((one) => one !== '')
      .map(
        (one) =>
          there.find(({ name }) => name === one) ?? {
            name: one,
            words: `From \`${from}\`.`,
            code: '',
          },
      );
  });
  return [...own, ...others];
}

function sourceOf(from: string, path: string): string | undefined {
  const folder = path.slice(0, path.lastIndexOf('/'));
  const file = from.startsWith('#') ? `src/${from.slice(1)}` : `${folder}/${from.slice(2)}`;
  return existsSync(`${ROOT}${file}`) ? file : undefined;
}

function docWords(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trim())
    .join('\n')
    .trim();
}

/** A type whole, a function or a class's methods without their bodies. */
function codeOf(text: string, kind: string): string {
  const lines = text.split('\n');
  if (kind === 'type') return lines.slice(0, lastLine(lines, /;$/)).join('\n');
  if (kind === 'const') {
    const isShort = (lines[0] ?? '').endsWith(';');
    return isShort ? (lines[0] ?? '') : lines.slice(0, lastLine(lines, /^[}\])].*;$/)).join('\n');
  }
  if (kind.startsWith('function')) {
    const end = lines.findIndex((line) => line.endsWith('{'));
    return `${lines
      .slice(0, end + 1)
      .join('\n')
      .replace(/ \{$/, '')};`;
  }
  const whole = lines.slice(0, lastLine(lines, /^\}/));
  return kind === 'class' ? withoutBodies(whole) : whole.join('\n');
}

function lastLine(lines: readonly string[], end: RegExp): number {
  return lines.findIndex((line) => end.test(line)) + 1;
}

/** Private members are left out with their comments; so is what stands in a method. */
function withoutBodies(lines: readonly string[]): string {
  const kept: string[] = [lines[0] ?? ''];
  let comment: string[] = [];
  for (let at = 1; at < lines.length - 1; at++) {
    const line = lines[at] ?? '';
    if (/^ {2}(\/\*\*| \*)/.test(line)) {
      comment.push(line);
      continue;
    }
    if (!/^ {2}\S/.test(line) || /^ {2}[})]/.test(line)) continue;
    const isPrivate = /^ {2}(static |readonly |async |private |get )*(#|private|constructor)/.test(
      line,
    );
    const from = at;
    while (!/[;{]$/.test(lines[at] ?? '') && at < lines.length - 1) at++;
    if (!isPrivate) {
      const declared = lines.slice(from, at + 1).join('\n');
      kept.push(...comment, declared.replace(/ (=|\{)$|( = .*)?;$| \{$/, '').concat(';'));
    }
    comment = [];
  }
  return [...kept, '}'].join('\n');
}
