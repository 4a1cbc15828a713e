import { formatBytes, formatSpan } from '../lib/units.js';
import { english, type Words } from './messages/messages.js';

/** The kinds of values that plots show. */
export type Unit = 'bytes' | 'share' | 'ms' | 'count';

/** A value for each step; null = not measured. */
type Values = readonly (number | null)[];

/** A line of a plot. */
export interface Line {
  name: string;
  /** Its name in the API's answer, for the browser. */
  field: string;
  values: Values;
}

/** A time that stands out on all plots of a page. */
export interface PlotMark {
  /** s since 1970 */
  time: number;
  label: string;
  bad: boolean;
}

export interface Plot {
  title: string;
  unit: Unit;
  /** The start of each step, in s since 1970. */
  times: readonly number[];
  lines: readonly Line[];
  marks: readonly PlotMark[];
}

/** A value for people. */
export function formatValue(value: number | null, unit: Unit, words: Words = english): string {
  if (value === null) return '–';
  switch (unit) {
    case 'bytes':
      return formatBytes(value);
    case 'share':
      return `${value < 0.0995 ? Number((value * 100).toFixed(1)) : Math.round(value * 100)} %`;
    case 'ms':
      return formatSpan(value, words);
    case 'count':
      return value >= 10_000
        ? `${Number((value / 1_000).toFixed(value < 100_000 ? 1 : 0))}k`
        : String(Math.round(value * 10) / 10);
  }
}

/** The values at which a scale has lines: round numbers from zero up to what is at least the highest value. */
export function scaleOf(highest: number, unit: Unit): number[] {
  const least = { bytes: 1_000_000, share: 0.01, ms: 10, count: 4 }[unit];
  const rough = Math.max(highest, least) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  // Half a visitor is none.
  const factors = unit !== 'count' || power > 1 ? [1, 2, 2.5, 5, 10] : power < 1 ? [10] : [1, 2, 5, 10];
  const step = (factors.find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
  return [0, 1, 2, 3, 4].map((place) => Number((place * step).toPrecision(6)));
}

const WIDTH = 600;
const HEIGHT = 180;
const LEFT = 58;
const RIGHT = 8;
const TOP = 16;
const BOTTOM = 22;

/** Draws a plot as SVG, for browsers without JavaScript, and until they have loaded it. Colours come from the style sheet. */
export function drawPlot({ title, unit, times, lines, marks }: Plot, words: Words = english): string {
  const [first = 0, last = 1] = [times[0], times.at(-1)];
  const scale = scaleOf(Math.max(0, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0))), unit);
  const top = scale.at(-1) ?? 1;
  const x = (time: number): number => LEFT + ((time - first) / Math.max(1, last - first)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const parts = [
    ...scale.map(
      (value) =>
        `<path class="grid" d="M${LEFT} ${round(y(value))}H${WIDTH - RIGHT}"/>` +
        `<text class="y" x="${LEFT - 8}" y="${round(y(value) + 4)}">${escape(formatValue(value, unit, words))}</text>`,
    ),
    ...timeLabels(times, words).map(
      ({ time, text }) => `<text class="x" x="${round(x(time))}" y="${HEIGHT - 4}">${escape(text)}</text>`,
    ),
    ...marks
      .filter(({ time }) => time >= first && time <= last)
      .map(
        ({ time, label, bad }) =>
          `<path class="mark-line${bad ? ' bad' : ''}" d="M${round(x(time))} ${TOP}V${HEIGHT - BOTTOM}"/>` +
          `<text class="mark-text${bad ? ' bad' : ''}" x="${round(x(time))}" y="${TOP - 5}">${escape(label)}</text>`,
      ),
    ...lines.map(({ values }, place) => `<path class="line line-${place + 1}" d="${path(values, times, x, y)}"/>`),
  ];
  const label = words.t('plot.label', {
    title,
    values: words.list(lines.map(({ name, values }) => `${name} ${formatValue(latest(values), unit, words)}`)),
  });
  return `<svg class="plot-svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(label)}">${parts.join('')}</svg>`;
}

/** The last value that was measured. */
export function latest(values: Values): number | null {
  return values.findLast((value) => value !== null) ?? null;
}

/** The highest value that was measured. */
export function highest(values: Values): number | null {
  const measured = values.filter((value) => value !== null);
  return measured.length === 0 ? null : Math.max(...measured);
}

/** A line that is interrupted where nothing was measured; a single value is a dot. */
function path(
  values: Values,
  times: readonly number[],
  x: (time: number) => number,
  y: (value: number) => number,
): string {
  let text = '';
  for (const [place, value] of values.entries()) {
    if (value === null) continue;
    const begins = place === 0 || values[place - 1] === null;
    const [at, height] = [round(x(times[place] ?? 0)), round(y(value))];
    text += `${begins ? 'M' : 'L'}${at} ${height}`;
    if (begins && (values[place + 1] ?? null) === null) text += 'h.01';
  }
  return text;
}

/** Up to six times along a plot, in UTC: the server does not know the reader's time zone. */
function timeLabels(times: readonly number[], { language }: Words): { time: number; text: string }[] {
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  const span = last - first;
  return Array.from({ length: 5 }, (_, place) => {
    const time = times[Math.round(((place + 0.5) / 5) * (times.length - 1))] ?? 0;
    const date = new Date(time * 1_000);
    const text =
      span <= 2 * 86_400
        ? date.toISOString().slice(11, 16)
        : date.toLocaleDateString(language === 'en' ? 'en-GB' : language, {
            day: 'numeric',
            month: 'short',
            timeZone: 'UTC',
          });
    return { time, text };
  });
}

/** A tiny plot for a table, of values from zero up. */
export function drawSpark(values: Values, label: string): string {
  const most = highest(values);
  if (most === null) return '';
  const x = (place: number): number => 1 + (place / Math.max(1, values.length - 1)) * 70;
  const y = (value: number): number => 18 - (most === 0 ? 0 : (value / (most * 1.1)) * 16);
  const line = path(
    values,
    values.map((_, place) => place),
    x,
    y,
  );
  return `<svg class="spark" viewBox="0 0 72 20" role="img" aria-label="${escape(label)}"><path d="${line}"/></svg>`;
}

/** The rows of a table of a plot: the same values as the lines, of not more than a screenful of steps. */
export function tableOf(
  { unit, times, lines }: Plot,
  words: Words = english,
  rows = 24,
): { time: string; cells: string[] }[] {
  const size = Math.ceil(times.length / rows);
  const starts = Array.from({ length: Math.ceil(times.length / size) }, (_, place) => place * size);
  return starts
    .map((start) => ({
      time: new Date((times[start] ?? 0) * 1_000).toISOString(),
      cells: lines.map(({ values }) => formatValue(highest(values.slice(start, start + size)), unit, words)),
    }))
    .reverse();
}

function round(value: number): number {
  return Number(value.toFixed(1));
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
