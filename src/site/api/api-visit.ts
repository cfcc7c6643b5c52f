// A request to the API as handlers see it: a Visit whose errors are problems instead of pages. What pages
// and API share takes a Visit.

import type { ErrorWords } from '#site/error-pages.ts';
import type { Shown } from '#site/shown.ts';
import { Visit } from '#site/visit.ts';
import { type ProblemCode, problemResponse } from './problem.ts';

const CODES: Readonly<Record<ErrorWords['status'], ProblemCode>> = {
  400: 'request-invalid',
  401: 'signed-out',
  403: 'forbidden',
  404: 'not-found',
  405: 'method-unknown',
  409: 'conflict',
  413: 'too-large',
  415: 'type-unknown',
  429: 'too-many',
  500: 'failed',
  503: 'busy',
};

export class ApiVisit extends Visit {
  /** Of `If-Match`: an ETag, or the `version` with which every ETag begins that has one. `*` is any. */
  override get shown(): Shown {
    const tags = this.header('if-match')
      .split(',')
      .map((tag) => tag.trim());
    if (tags.includes('*')) return [];
    return tags
      .filter((tag) => tag !== '')
      .map((tag) => tag.replace(/^(?:W\/)?"|"$/g, '').replace(/\..*$/s, ''));
  }

  override async error(words: ErrorWords): Promise<Response> {
    const { status, title, text } = words;
    const problem = { code: CODES[status], title, detail: text };
    return problemResponse(problem, { status, requestId: this.requestId });
  }
}
