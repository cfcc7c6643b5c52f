// Member classes as an operator writes them, one a line, from the lowest to the highest:
//
//   Member
//   Power member: given 25 GiB, ratio 1.05, age 14 d; keeps ratio 0.95
//   Elite: given 100 GiB, ratio 1.05, uploads 10, age 28 d; keeps ratio 0.95
//
// What stands after the colon must all be reached to rise into the class; what stands after "keeps" must
// hold to stay in it. `given` is what was credited as uploaded, `ratio` given by taken, `seeded` time
// over all torrents, `age` time since joining, `uploads` torrents of theirs in the catalogue. The
// first class asks for nothing: everybody begins there.

export const REQUIREMENT_KINDS = ['given', 'ratio', 'age', 'uploads', 'seeded'] as const;
export type RequirementKind = (typeof REQUIREMENT_KINDS)[number];

/** Bytes, a quotient, milliseconds, a count, milliseconds. */
export interface Requirement {
  readonly kind: RequirementKind;
  readonly value: number;
}

export interface MemberClass {
  readonly name: string;
  readonly rises: readonly Requirement[];
  readonly keeps: readonly Requirement[];
}

export const CLASSES_MAX = 20;
const NAME_LENGTH_MAX = 32;
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._'-]*$/u;

const BYTES: Units = { b: 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40, pib: 2 ** 50 };
const TIMES: Units = { min: 60_000, h: 3_600_000, d: 86_400_000 };
type Units = Readonly<Record<string, number>>;

const READERS: Readonly<Record<RequirementKind, (text: string) => number | undefined>> = {
  given: (text) => withUnit(text, BYTES),
  ratio: (text) => plain(text),
  age: (text) => withUnit(text, TIMES),
  uploads: (text) => (/^\d{1,9}$/.test(text) ? Number(text) : undefined),
  seeded: (text) => withUnit(text, TIMES),
};

/** The classes, or a sentence that says what is wrong with the lines. */
export function parseClasses(lines: readonly string[]): readonly MemberClass[] | string {
  const classes: MemberClass[] = [];
  for (const line of lines.map((each) => each.trim()).filter((each) => each !== '')) {
    const parsed = parseClass(line);
    if (typeof parsed === 'string') return `"${line.slice(0, 80)}": ${parsed}`;
    if (classes.some((one) => one.name.toLowerCase() === parsed.name.toLowerCase())) {
      return `There are two classes "${parsed.name}".`;
    }
    classes.push(parsed);
  }
  const first = classes[0];
  if (first === undefined) return 'There must be a class that everybody begins in.';
  if (classes.length > CLASSES_MAX) return `There are ${CLASSES_MAX} classes at most.`;
  if (first.rises.length + first.keeps.length > 0) {
    return `The first class, "${first.name}", may ask for nothing: everybody begins there.`;
  }
  const free = classes.slice(1).find((one) => one.rises.length === 0);
  return free === undefined ? classes : `"${free.name}" must ask for something.`;
}

function parseClass(line: string): MemberClass | string {
  const [head = '', ...rest] = line.split(':');
  const name = head.trim();
  if (name.length > NAME_LENGTH_MAX || !NAME.test(name)) {
    return `a class begins with a name of at most ${NAME_LENGTH_MAX} letters and digits.`;
  }
  if (rest.length > 1) return 'there is one colon in a line.';
  const [rising = '', keeping = '', more] = (rest[0] ?? '').split(';').map((part) => part.trim());
  if (more !== undefined) return 'there is one semicolon in a line.';
  const rises = parseRequirements(rising);
  if (typeof rises === 'string') return rises;
  if (keeping !== '' && !keeping.startsWith('keeps ')) return 'what stays required begins "keeps".';
  const keeps = parseRequirements(keeping.replace(/^keeps /, ''));
  return typeof keeps === 'string' ? keeps : { name, rises, keeps };
}

function parseRequirements(text: string): readonly Requirement[] | string {
  const requirements: Requirement[] = [];
  for (const part of text.split(',').map((each) => each.trim())) {
    if (part === '') continue;
    const [, word = '', rest = ''] = /^(\S+) +(.+)$/.exec(part) ?? [];
    const kind = REQUIREMENT_KINDS.find((each) => each === word);
    if (kind === undefined) {
      return `"${part}" is not understood; expected ${REQUIREMENT_KINDS.join(', ')} and a number.`;
    }
    const value = READERS[kind](rest);
    if (value === undefined) return `"${part}" is not understood; write ${EXAMPLES[kind]}.`;
    if (requirements.some((one) => one.kind === kind)) return `"${kind}" stands twice.`;
    requirements.push({ kind, value });
  }
  return requirements;
}

const EXAMPLES: Readonly<Record<RequirementKind, string>> = {
  given: '"given 25 GiB"',
  ratio: '"ratio 1.05"',
  age: '"age 14 d"',
  uploads: '"uploads 10"',
  seeded: '"seeded 100 d"',
};

function withUnit(text: string, units: Units): number | undefined {
  const [, digits = '', unit = ''] = /^(\d{1,9}(?:\.\d{1,6})?) ?([A-Za-z]+)$/.exec(text) ?? [];
  const factor = units[unit.toLowerCase()];
  const value = factor === undefined ? Number.NaN : Math.round(Number(digits) * factor);
  return Number.isSafeInteger(value) ? value : undefined;
}

function plain(text: string): number | undefined {
  return /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : undefined;
}
