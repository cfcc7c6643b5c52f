// A model's "no": returned, not thrown, because a wrong form is the normal case. Handlers show the
// message beside its field, commands print it.

export class Refusal {
  /** For programs: `name-taken`. */
  readonly code: string;
  /** For people: what is wrong and what would be right. */
  readonly message: string;
  /** The form field it is about. */
  readonly field: string | undefined;

  constructor(code: string, message: string, field?: string) {
    this.code = code;
    this.message = message;
    this.field = field;
  }
}
