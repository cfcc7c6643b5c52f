// Reads JSON (RFC 8259) from bytes without making strings or objects: the caller walks over what is
// there and takes what it wants. Strict, because what is read over may be passed on as it is. The
// bytes are valid UTF-8.
//
// Every method returns false where the bytes are not JSON, else it leaves the cursor behind what it
// read. Objects and lists may be nested to a depth of eight.

/** Names and short texts; a longer string is read over. */
const TEXT_BYTES_MAX = 24;
const DEPTH_MAX = 8;
const NUMBER_BYTES_MAX = 32;

export class JsonCursor {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  /** The name of the present field, or what `shortString` read; -1 for its length: no such text. */
  readonly text: Uint8Array = new Uint8Array(TEXT_BYTES_MAX);
  textLength = 0;
  /** The same bytes as words; none where they do not begin at one. */
  #words: Int32Array = new Int32Array(0);

  open(bytes: Uint8Array, length: number): void {
    // A room is read again and again: its view of words is kept.
    if (bytes !== this.bytes) this.#words = wordsOf(bytes);
    this.bytes = bytes;
    this.at = 0;
    this.end = length;
    this.#skipBlanks();
  }

  get byte(): number {
    return this.at < this.end ? (this.bytes[this.at] as number) : -1;
  }

  shortString(): boolean {
    return this.string(this.text, 0, TEXT_BYTES_MAX);
  }

  isAtString(): boolean {
    return this.bytes[this.at] === QUOTE && this.at < this.end;
  }

  atEnd(): boolean {
    this.#skipBlanks();
    return this.at === this.end;
  }

  isText(text: string): boolean {
    if (this.textLength !== text.length) return false;
    for (let at = 0; at < text.length; at++) {
      if (this.text[at] !== text.charCodeAt(at)) return false;
    }
    return true;
  }

  #skipBlanks(): void {
    const bytes = this.bytes;
    let at = this.at;
    while (at < this.end && isBlank(bytes[at] as number)) at += 1;
    this.at = at;
  }

  /** Takes the byte, with blanks before and after it. */
  #take(byte: number): boolean {
    this.#skipBlanks();
    if (this.at >= this.end || this.bytes[this.at] !== byte) return false;
    this.at += 1;
    this.#skipBlanks();
    return true;
  }

  /** Calls `field` for each value, its name in `text`. */
  object(depth: number, field: () => boolean): boolean {
    if (depth > DEPTH_MAX || !this.#take(OPEN_OBJECT)) return false;
    if (this.#take(CLOSE_OBJECT)) return true;
    do {
      if (!this.isAtString() || !this.string(this.text, 0, TEXT_BYTES_MAX)) return false;
      if (!this.#take(COLON) || !field()) return false;
    } while (this.#take(COMMA));
    return this.#take(CLOSE_OBJECT);
  }

  list(depth: number, item: () => boolean): boolean {
    if (depth > DEPTH_MAX || !this.#take(OPEN_LIST)) return false;
    if (this.#take(CLOSE_LIST)) return true;
    do {
      if (!item()) return false;
    } while (this.#take(COMMA));
    return this.#take(CLOSE_LIST);
  }

  /** Reads over any value. */
  value(depth: number): boolean {
    if (this.at >= this.end) return false;
    switch (this.bytes[this.at]) {
      case QUOTE:
        return this.#skipString();
      case OPEN_OBJECT:
        return this.object(depth, () => this.value(depth + 1));
      case OPEN_LIST:
        return this.list(depth, () => this.value(depth + 1));
      case LOWER_N:
        return this.#word('null');
      case LOWER_T:
        return this.#word('true');
      case LOWER_F:
        return this.#word('false');
      default:
        return this.number() !== undefined;
    }
  }

  #word(word: string): boolean {
    for (let at = 0; at < word.length; at++) {
      if (this.bytes[this.at + at] !== word.charCodeAt(at)) return false;
    }
    this.at += word.length;
    return this.at <= this.end;
  }

  /** Undefined, the cursor unmoved, when there is none. */
  number(): number | undefined {
    const bytes = this.bytes;
    const start = this.at;
    let at = start;
    let value = 0;
    if (bytes[at] === MINUS) at += 1;
    const first = at;
    while (at < this.end && isDigit(bytes[at] as number)) {
      value = value * 10 + (bytes[at] as number) - ZERO;
      at += 1;
    }
    if (at === first || (bytes[first] === ZERO && at - first > 1) || at > this.end) {
      return undefined;
    }
    const next = at < this.end ? bytes[at] : COMMA;
    if (next === DOT || next === LOWER_E || next === UPPER_E) return this.#longNumber(start);
    this.at = at;
    // Past 2^53 the digits do not add up exactly; what matters is that it is too large.
    return first > start ? -value : value;
  }

  /** With a fraction or an exponent, as JavaScript writes what is above 10^21. */
  #longNumber(start: number): number | undefined {
    const bytes = this.bytes;
    let end = start;
    while (end < this.end && isNumberByte(bytes[end] as number)) end += 1;
    if (end - start > NUMBER_BYTES_MAX) return undefined;
    const text = String.fromCharCode(...bytes.subarray(start, end));
    if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return undefined;
    this.at = end;
    return Number(text);
  }

  /**
   * Decodes a string of characters up to U+00FF into `into`, at most `max` of them. `textLength` is
   * how many there were, or -1 when there were more, or others.
   */
  string(into: Uint8Array, intoAt: number, max: number): boolean {
    const bytes = this.bytes;
    let at = this.at + 1;
    let length = 0;
    let isBinary = true;
    for (;;) {
      if (at >= this.end) return false;
      let code = bytes[at] as number;
      if (code === QUOTE) break;
      if (code < SPACE) return false;
      at += 1;
      if (code === BACKSLASH) {
        code = this.#escape(at);
        if (code < 0) return false;
        at += bytes[at] === LOWER_U ? 5 : 1;
      } else if (code >= 0x80) {
        // U+0080 to U+00FF are C2 or C3 and one byte; the rest of a longer one is read over.
        if (code === 0xc2 || code === 0xc3)
          code = ((code & 3) << 6) | ((bytes[at] as number) & 0x3f);
        else code = NOT_BINARY;
        while (at < this.end && ((bytes[at] as number) & 0xc0) === 0x80) at += 1;
      }
      if (code > 0xff || length >= max) isBinary = false;
      else {
        into[intoAt + length] = code;
        length += 1;
      }
    }
    this.at = at + 1;
    this.textLength = isBinary ? length : -1;
    return true;
  }

  #skipString(): boolean {
    const { bytes, end } = this;
    let at = this.at + 1;
    for (;;) {
      at = this.#skipPlain(at);
      if (at >= end) return false;
      const code = bytes[at] as number;
      at += 1;
      if (code === QUOTE) {
        this.at = at;
        return true;
      }
      if (code !== BACKSLASH || this.#escape(at) < 0) return false;
      at += bytes[at] === LOWER_U ? 5 : 1;
    }
  }

  /**
   * Behind what needs no look in a string. Most bytes of a message are such, so they are gone over a
   * word at a time: a borrow from one byte to the next may stop it early, and never lets one pass.
   */
  #skipPlain(from: number): number {
    const { bytes, end } = this;
    const words = this.#words;
    const stops = STRING_STOPS;
    let at = from;
    while ((at & 3) !== 0 && at < end && stops[bytes[at] as number] === 0) at += 1;
    if ((at & 3) === 0) {
      const wordsEnd = Math.min(end >>> 2, words.length);
      let index = at >>> 2;
      for (; index < wordsEnd; index++) {
        const word = words[index] as number;
        const quote = word ^ 0x2222_2222;
        const backslash = word ^ 0x5c5c_5c5c;
        const stop =
          ((word - 0x2020_2020) & ~word) |
          ((quote - 0x0101_0101) & ~quote) |
          ((backslash - 0x0101_0101) & ~backslash);
        if ((stop & 0x8080_8080) !== 0) break;
      }
      at = Math.max(at, index << 2);
    }
    while (at < end && stops[bytes[at] as number] === 0) at += 1;
    return at;
  }

  /** The character of the escape whose letter stands at `at`; -1 when it is none. */
  #escape(at: number): number {
    if (at >= this.end) return -1;
    const letter = this.bytes[at] as number;
    if (letter !== LOWER_U) return ESCAPES[letter] ?? -1;
    if (at + 4 >= this.end) return -1;
    let code = 0;
    for (let digit = 1; digit <= 4; digit++) {
      const value = hexDigit(this.bytes[at + digit] as number);
      if (value < 0) return -1;
      code = code * 16 + value;
    }
    return code;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const COLON = 0x3a;
const COMMA = 0x2c;
const DOT = 0x2e;
const MINUS = 0x2d;
const PLUS = 0x2b;
const ZERO = 0x30;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const LOWER_E = 0x65;
const UPPER_E = 0x45;
const LOWER_F = 0x66;
const LOWER_N = 0x6e;
const LOWER_T = 0x74;
const LOWER_U = 0x75;
const NOT_BINARY = 0x100;

/** By letter: what stands behind a backslash. Others are -1. */
const ESCAPES: Int16Array = escapes();

/** 1 for what ends a run of plain bytes in a string: quote, backslash and control characters. */
const STRING_STOPS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < SPACE || byte === QUOTE || byte === BACKSLASH ? 1 : 0,
);

function wordsOf(bytes: Uint8Array): Int32Array {
  const isAligned = (bytes.byteOffset & 3) === 0;
  return new Int32Array(
    bytes.buffer,
    isAligned ? bytes.byteOffset : 0,
    isAligned ? bytes.length >>> 2 : 0,
  );
}

function escapes(): Int16Array {
  const table = new Int16Array(256).fill(-1);
  for (const letter of [QUOTE, BACKSLASH, 0x2f]) table[letter] = letter;
  table[0x62] = 0x08;
  table[0x66] = 0x0c;
  table[0x6e] = 0x0a;
  table[0x72] = 0x0d;
  table[0x74] = 0x09;
  return table;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39;
}

function isNumberByte(byte: number): boolean {
  return (
    isDigit(byte) ||
    byte === DOT ||
    byte === MINUS ||
    byte === PLUS ||
    byte === LOWER_E ||
    byte === UPPER_E
  );
}

function hexDigit(byte: number): number {
  if (isDigit(byte)) return byte - ZERO;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** First bytes by which a value is told. */
export const JSON_BYTE = { openList: OPEN_LIST, openObject: OPEN_OBJECT, n: LOWER_N } as const;
