// Marks that turn the direction of text round: Unicode's bidirectional controls. Who writes Arabic beside
// Latin may need them; one that is left open would turn round the page's own words behind it.

/** Embeddings and overrides, ended by POP; isolates, ended by POP_ISOLATE. */
const EMBEDDINGS = '\u202a\u202b\u202d\u202e';
const ISOLATES = '\u2066\u2067\u2068';
const POP = '\u202c';
const POP_ISOLATE = '\u2069';
const ANY = /[\u202a-\u202e\u2066-\u2069]/;
/** Unicode looks no deeper; what is opened beyond is dropped. */
const DEPTH_MAX = 125;

/** Each mark ends in its line, and none ends what was not begun. Other text stays as it is. */
export function balanceDirections(text: string): string {
  return ANY.test(text) ? text.split('\n').map(balanceLine).join('\n') : text;
}

function balanceLine(line: string): string {
  if (!ANY.test(line)) return line;
  const open: string[] = [];
  let balanced = '';
  for (const character of line) {
    if (EMBEDDINGS.includes(character) || ISOLATES.includes(character)) {
      if (open.length >= DEPTH_MAX) continue;
      open.push(EMBEDDINGS.includes(character) ? POP : POP_ISOLATE);
    } else if (character === POP || character === POP_ISOLATE) {
      if (open.at(-1) !== character) continue;
      open.pop();
    }
    balanced += character;
  }
  return balanced + open.toReversed().join('');
}
