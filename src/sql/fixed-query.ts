// Queries whose text is the same each time: built and compiled once for each kind of database, with places
// for what is given. Building and compiling a query takes longer than many of those run that a page needs.

import type { CompiledQuery, Kysely } from 'kysely';
import { assert } from '#base/assert.ts';
import { dialectOf } from './dialect.ts';
import type { Dialect } from './sql.ts';

/** Stands in a compiled query for what is given by that name. */
class Place {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * `build` is called once, with places in `given`: they may stand only where a parameter does, since they are
 * no values yet. Lists of numbers are given as `givenList` makes them.
 */
export function fixedQuery<Tables, Given extends object, Row>(
  build: (reading: Kysely<Tables>, given: Given) => { compile(): CompiledQuery<Row> },
): (reading: Kysely<Tables>, given: Given) => Promise<readonly Row[]> {
  const compiled = new Map<Dialect, CompiledQuery<Row>>();
  const places = new Proxy({}, { get: (_, name) => new Place(String(name)) }) as Given;
  return async (reading, given) => {
    const dialect = dialectOf(reading);
    let query = compiled.get(dialect);
    if (query === undefined) {
      query = build(reading, places).compile();
      compiled.set(dialect, query);
    }
    const parameters = query.parameters.map((parameter) => {
      if (!(parameter instanceof Place)) return parameter;
      const value = given[parameter.name as keyof Given];
      assert(value !== undefined, 'everything that a query has a place for is given');
      return value;
    });
    const { rows } = await reading.getExecutor().executeQuery<Row>({ ...query, parameters });
    return rows;
  };
}
