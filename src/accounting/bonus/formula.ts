// A formula of the operator's, as text: how many points an hour of seeding one torrent gives. It is read
// once into a tree and reckoned for each torrent; nothing in it can reach the program.
//
//   sum      = product { ("+" | "-") product }
//   product  = power { ("*" | "/") power }
//   power    = [ "-" ] value [ "^" power ]
//   value    = number | name | name "(" sum { "," sum } ")" | "(" sum ")"
//
// Names are those of FORMULA_NAMES, functions ln, sqrt, min and max. What is not a finite number above
// zero gives no points.

/** What a formula may speak of. */
export interface FormulaInput {
  readonly sizeGiB: number;
  /** How long the member has seeded the torrent, in days. */
  readonly seedDays: number;
  /** Everybody who seeds it now, the member among them. */
  readonly seeders: number;
}

export type Formula = (input: FormulaInput) => number;

export const FORMULA_NAMES = ['sizeGiB', 'seedDays', 'seeders'] as const;

const CHARACTERS_MAX = 500;
const DEPTH_MAX = 30;

const FUNCTIONS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  ln: ([value = 0]) => Math.log(value),
  sqrt: ([value = 0]) => Math.sqrt(value),
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
};

/** The formula, or in words what is wrong with it. */
export function parseFormula(text: string): Formula | string {
  if (text.length > CHARACTERS_MAX) return `it has more than ${CHARACTERS_MAX} characters`;
  const words = text.match(/\d+(?:\.\d+)?|[A-Za-z]+|\S/g) ?? [];
  const reader = new FormulaReader(words);
  const tree = reader.whole();
  if (typeof tree === 'string') return tree;
  return (input) => {
    const points = tree(input);
    return Number.isFinite(points) && points > 0 ? points : 0;
  };
}

/** Reads by descent; the first error stays and everything after it is skipped. */
class FormulaReader {
  readonly #words: readonly string[];
  #at = 0;
  #depth = 0;
  #error: string | undefined;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  whole(): Formula | string {
    const tree = this.#sum();
    if (this.#error === undefined && this.#at < this.#words.length) this.#fail('an operator');
    return this.#error ?? tree;
  }

  #sum(): Formula {
    let left = this.#product();
    for (;;) {
      const before = left;
      if (this.#take('+')) {
        const right = this.#product();
        left = (input) => before(input) + right(input);
      } else if (this.#take('-')) {
        const right = this.#product();
        left = (input) => before(input) - right(input);
      } else return left;
    }
  }

  #product(): Formula {
    let left = this.#power();
    for (;;) {
      const before = left;
      if (this.#take('*')) {
        const right = this.#power();
        left = (input) => before(input) * right(input);
      } else if (this.#take('/')) {
        const right = this.#power();
        left = (input) => before(input) / right(input);
      } else return left;
    }
  }

  #power(): Formula {
    if (++this.#depth > DEPTH_MAX) this.#error ??= 'it is nested too deep';
    const isNegative = this.#take('-');
    const base = this.#value();
    const exponent = this.#error === undefined && this.#take('^') ? this.#power() : undefined;
    this.#depth--;
    const raised: Formula =
      exponent === undefined ? base : (input) => base(input) ** exponent(input);
    return isNegative ? (input) => -raised(input) : raised;
  }

  #value(): Formula {
    const word = this.#words[this.#at] ?? '';
    if (this.#error !== undefined) return zero;
    if (/^\d/.test(word)) {
      this.#at++;
      const number = Number(word);
      return () => number;
    }
    if (this.#take('(')) {
      const inside = this.#sum();
      if (!this.#take(')')) this.#fail('a closing bracket');
      return inside;
    }
    if (!/^[A-Za-z]/.test(word)) return this.#fail('a number or a name');
    this.#at++;
    return this.#named(word);
  }

  #named(word: string): Formula {
    const name = FORMULA_NAMES.find((one) => one === word);
    if (name !== undefined) return (input) => input[name];
    const reckon = Object.hasOwn(FUNCTIONS, word) ? FUNCTIONS[word] : undefined;
    if (reckon === undefined) {
      const names = [...FORMULA_NAMES, ...Object.keys(FUNCTIONS)].join(', ');
      this.#error ??= `"${word}" is none of ${names}`;
      return zero;
    }
    if (!this.#take('(')) return this.#fail(`an opening bracket after "${word}"`);
    const given = [this.#sum()];
    while (this.#error === undefined && this.#take(',')) given.push(this.#sum());
    if (!this.#take(')')) this.#fail('a closing bracket');
    return (input) => reckon(given.map((one) => one(input)));
  }

  #take(word: string): boolean {
    if (this.#words[this.#at] !== word) return false;
    this.#at++;
    return true;
  }

  #fail(expected: string): Formula {
    const found = this.#words[this.#at];
    this.#error ??= `${expected} is needed ${found === undefined ? 'at its end' : `before "${found}"`}`;
    return zero;
  }
}

function zero(): number {
  return 0;
}
