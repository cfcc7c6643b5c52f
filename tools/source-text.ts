// Reads TypeScript just well enough to tell comments from code.

/** The same text with every comment replaced by spaces; line breaks and all other places stay. */
export function blankComments(text: string): string {
  let blanked = '';
  let at = 0;
  while (at < text.length) {
    const end = endOfToken(text, at, blanked);
    const token = text.slice(at, end);
    const isComment = token.startsWith('//') || token.startsWith('/*');
    blanked += isComment ? token.replace(/[^\n]/g, ' ') : token;
    at = end;
  }
  return blanked;
}

/** A comment, a string, a template, a regular expression, or one other character. */
function endOfToken(text: string, at: number, before: string): number {
  const two = text.slice(at, at + 2);
  if (two === '//') return indexOrEnd(text, '\n', at);
  if (two === '/*') return indexOrEnd(text, '*/', at + 2) + 2;
  const first = text[at] ?? '';
  if (first === "'" || first === '"') return endOfQuoted(text, at, first);
  if (first === '`') return endOfTemplate(text, at);
  if (first === '/' && startsRegExp(before)) return endOfRegExp(text, at);
  return at + 1;
}

function indexOrEnd(text: string, search: string, from: number): number {
  const index = text.indexOf(search, from);
  return index < 0 ? text.length : index;
}

function endOfQuoted(text: string, at: number, quote: string): number {
  for (let end = at + 1; end < text.length; end++) {
    if (text[end] === '\\') end++;
    else if (text[end] === quote || text[end] === '\n') return end + 1;
  }
  return text.length;
}

/** What stands in `${}` is taken as part of the template, braces counted. */
function endOfTemplate(text: string, at: number): number {
  for (let end = at + 1; end < text.length; end++) {
    if (text[end] === '\\') end++;
    else if (text[end] === '`') return end + 1;
    else if (text[end] === '$' && text[end + 1] === '{') end = endOfHole(text, end + 2) - 1;
  }
  return text.length;
}

function endOfHole(text: string, at: number): number {
  let depth = 1;
  let end = at;
  while (end < text.length && depth > 0) {
    if (text[end] === '{') depth++;
    if (text[end] === '}') depth--;
    end = depth === 0 ? end + 1 : endOfToken(text, end, text.slice(Math.max(0, end - 20), end));
  }
  return end;
}

/** A slash divides after a value, and begins a regular expression after anything else. */
function startsRegExp(before: string): boolean {
  const line = before.slice(-200).trimEnd();
  return line === '' || /[(,=:[!&|?{};+\-*%<>~^]$|\b(?:return|typeof|case|in|of|void)$/.test(line);
}

function endOfRegExp(text: string, at: number): number {
  let isClass = false;
  for (let end = at + 1; end < text.length; end++) {
    const character = text[end];
    if (character === '\\') end++;
    else if (character === '[') isClass = true;
    else if (character === ']') isClass = false;
    else if (character === '\n' || (character === '/' && !isClass)) return end + 1;
  }
  return text.length;
}
