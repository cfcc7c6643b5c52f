// What the API adds to `[site]`.

import { z } from 'zod';

export const apiConfig = z.strictObject({
  apiCallsPerMinute: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(600)
    .describe(
      'Requests to the API that one member, or one address without a token, may make in a minute; one more is answered 429 with the time to wait.',
    ),
  apiOrigins: z
    .array(
      z
        .string()
        .refine(
          (text) => URL.canParse(text) && new URL(text).origin === text,
          'expected an origin as "https://tools.example.org"',
        ),
    )
    .max(64)
    .default([])
    .describe(
      'Origins of other sites whose pages may call the API with a token (CORS). Sessions are never sent from there.',
    ),
});
