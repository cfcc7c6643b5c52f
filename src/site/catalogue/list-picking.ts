// Of all matches of a search those that stand on a page in the order of a column, by what is in memory of all
// torrents (torrent-values.ts): every match is looked at once, and no more are kept than a page shows.

import { BLOCK_IDS } from './id-block.ts';
import type { PageOrder } from './list-order.ts';
import { rangeTest, type Search } from './list-search.ts';
import { titleNumber, type ValueColumn } from './torrent-values.ts';

export interface Picked {
  readonly ids: readonly number[];
  /** How many fit, on all pages. */
  readonly total: number;
}

interface Place {
  readonly key: number;
  readonly id: number;
}

/** The page, in its order. */
export async function pickByKey(search: Search, order: PageOrder): Promise<Picked> {
  const { edge } = order;
  const first = new FirstPlaces(order);
  const after = edge === undefined ? undefined : { key: Number(edge.key), id: edge.id };
  const total = await eachFitting(search, order, (key, id) => {
    if (after === undefined || first.isBefore(after, key, id)) first.add(key, id);
  });
  return { ids: first.places().map(({ id }) => id), total };
}

/**
 * All that may stand on the page, in no order: by the beginnings of their titles they do, or are not told
 * apart from those that do.
 */
export async function pickByTitle(search: Search, order: PageOrder): Promise<Picked> {
  const { edge, limit } = order;
  const down = order.direction === 'desc' ? -1 : 1;
  const edgeKey = edge === undefined ? undefined : titleNumber(String(edge.key));
  const first = new FirstPlaces(order);
  const atEdge: number[] = [];
  const total = await eachFitting(search, order, (key, id) => {
    if (key === edgeKey) atEdge.push(id);
    else if (edgeKey === undefined || (key - edgeKey) * down > 0) first.add(key, id);
  });
  const places = first.places();
  const last = places[limit - 1]?.key;
  const ids = [...atEdge, ...places.filter(({ key }) => key !== last).map(({ id }) => id)];
  // As many as there are with the last beginning, not only those that the page had room for.
  if (last === undefined) return { ids, total };
  await eachFitting(search, order, (key, id) => {
    if (key === last) ids.push(id);
  });
  return { ids, total };
}

/** Returns how many there are. */
async function eachFitting(
  { matches, ranges, values }: Search,
  { by }: PageOrder,
  each: (key: number, id: number) => void,
): Promise<number> {
  const sort: readonly ValueColumn[] = by === 'added' ? [] : [by];
  const columns = [...ranges.map(({ column }) => column), ...sort];
  let total = 0;
  for await (const { number, ids } of matches.blocks()) {
    const arrays = (await values?.block(number, columns)) ?? [];
    const fits = rangeTest(ranges, arrays);
    const keys = arrays.at(-1);
    const numbers = ids.ascending();
    for (let at = numbers.length - 1; at >= 0; at--) {
      const one = numbers[at]!;
      if (!fits(one)) continue;
      total += 1;
      each(keys?.[one] ?? 0, number * BLOCK_IDS + one);
    }
  }
  return total;
}

/** Of many places the first ones in an order. */
class FirstPlaces {
  readonly #limit: number;
  readonly #sign: 1 | -1;
  #places: Place[] = [];
  /** None behind it is among the first. */
  #last: Place | undefined;

  constructor({ direction, limit }: Pick<PageOrder, 'direction' | 'limit'>) {
    this.#limit = limit;
    this.#sign = direction === 'desc' ? -1 : 1;
  }

  isBefore(place: Place, key: number, id: number): boolean {
    return (place.key === key ? id - place.id : key - place.key) * this.#sign > 0;
  }

  add(key: number, id: number): void {
    if (this.#last !== undefined && this.isBefore(this.#last, key, id)) return;
    this.#places.push({ key, id });
    if (this.#places.length >= 4 * this.#limit) this.#cut();
  }

  places(): readonly Place[] {
    this.#cut();
    return this.#places;
  }

  #cut(): void {
    this.#places.sort((a, b) => (a.key === b.key ? a.id - b.id : a.key - b.key) * this.#sign);
    this.#places.length = Math.min(this.#places.length, this.#limit);
    if (this.#places.length === this.#limit) this.#last = this.#places.at(-1);
  }
}
