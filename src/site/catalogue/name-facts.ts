// What names of files and titles say of dates and episodes, as words that a search finds: `IMG_20240315.jpg`
// by "2024-03-15" and by "march 2024", `show.3x07.mkv` by "S03E07" and by "season 3 episode 7". Pure.

const MONTHS =
  'january february march april may june july august september october november december'.split(
    ' ',
  );

/** Not within a longer number or word: `x264` is no episode, and no phone number is a date. */
const DATE =
  /(?<!\d)(?:((?:19|20)\d\d)([-._ ]?)(\d\d)\2(\d\d)|(\d\d)([-._])(\d\d)\6((?:19|20)\d\d))(?!\d)/g;
const EPISODE = /(?<![\p{L}\d])s(\d{1,2})[ ._-]?e(\d{1,4})(?:[ ._-]?e(\d{1,4}))?(?!\d)/giu;
const CROSSED = /(?<![\p{L}\d])(\d{1,2})x(\d{2,3})(?![\p{L}\d])/giu;
const SEASON = /(?<![\p{L}\d])(?:season[ ._-]?|s)(\d{1,2})(?![\p{L}\d])/giu;
/** Of one name: what is longer is no name. */
const CHARS_MAX = 1000;

/** Words beside those of the name itself; each once. */
export function nameFacts(name: string): ReadonlySet<string> {
  const text = name.slice(0, CHARS_MAX);
  const facts = new Set<string>();
  // Most names have neither.
  if (!/\d/.test(text)) return facts;
  for (const match of text.matchAll(DATE)) {
    const [, first, , second, third, day, , month, year] = match;
    addDate(facts, [first ?? year ?? '', second ?? month ?? '', third ?? day ?? '']);
  }
  for (const [, season = '', from = '', to] of text.matchAll(EPISODE)) {
    addEpisode(facts, Number(season), Number(from));
    if (to !== undefined) addEpisode(facts, Number(season), Number(to));
  }
  for (const [, season = '', episode = ''] of text.matchAll(CROSSED)) {
    addEpisode(facts, Number(season), Number(episode));
  }
  for (const [, season = ''] of text.matchAll(SEASON)) addSeason(facts, Number(season));
  return facts;
}

function addDate(facts: Set<string>, [year, month, day]: readonly [string, string, string]): void {
  const days = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  const name = MONTHS[Number(month) - 1];
  if (name === undefined || Number(day) < 1 || Number(day) > days) return;
  for (const word of [year, month, day, `${year}${month}${day}`, name]) facts.add(word);
}

function addEpisode(facts: Set<string>, season: number, episode: number): void {
  addSeason(facts, season);
  const two = (value: number): string => String(value).padStart(2, '0');
  facts.add(`s${two(season)}e${two(episode)}`).add(`s${season}e${episode}`);
  facts
    .add(`${season}x${two(episode)}`)
    .add('episode')
    .add(String(episode));
}

function addSeason(facts: Set<string>, season: number): void {
  facts
    .add('season')
    .add(String(season))
    .add(`s${String(season).padStart(2, '0')}`);
}
