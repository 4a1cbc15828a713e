import { app, blank, LATENCY_BOUNDS, rulesOf } from './fields.js';

/** What was measured in one span of time. */
export interface Point {
  /** The number of the span since 1970, in steps of its resolution. */
  tick: number;
  /** By place (`fields.ts`). */
  values: number[];
}

const SAMPLES = 0;

/** Adds what was measured in one span to what was measured in another; the second one is the later one. */
export function merge(id: string, into: number[], from: readonly number[]): void {
  const [before = 0, after = 0] = [into[SAMPLES], from[SAMPLES]];
  for (const [place, rule] of rulesOf(id).entries()) {
    // An older version knew fewer fields.
    const [a = 0, b = 0] = [into[place], from[place]];
    if (rule === 'sum') into[place] = a + b;
    else if (rule === 'max') into[place] = Math.max(a, b);
    else if (rule === 'last') into[place] = after > 0 || b > 0 ? b : a;
    else if (before + after > 0) into[place] = (a * before + b * after) / (before + after);
  }
}

/**
 * Sums up points in larger spans. A span without any point has none: that nothing is known is not the same as zero.
 * @param size how many of the points' spans make one of the larger ones
 */
export function rollUp(id: string, points: readonly Point[], size: number): Point[] {
  const spans = new Map<number, Point>();
  for (const { tick, values } of [...points].sort((a, b) => a.tick - b.tick)) {
    const wide = Math.floor(tick / size);
    let span = spans.get(wide);
    if (span === undefined) spans.set(wide, (span = { tick: wide, values: blank(id) }));
    merge(id, span.values, values);
  }
  return [...spans.values()];
}

/**
 * Estimates a quantile of the times to first byte from how many are in each class, by interpolation within one.
 * @returns ms; undefined where there was no request
 */
export function latencyQuantile(values: readonly number[], quantile: number): number | undefined {
  const counts = [...LATENCY_BOUNDS.keys(), LATENCY_BOUNDS.length].map((place) => values[app.latency0 + place] ?? 0);
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return undefined;
  let rest = quantile * all;
  for (const [place, count] of counts.entries()) {
    if (count > 0 && rest <= count) {
      const low = LATENCY_BOUNDS[place - 1] ?? 0;
      // Of the last class, nothing is known but its lower bound.
      const high = LATENCY_BOUNDS[place] ?? low;
      return low + (high - low) * (rest / count);
    }
    rest -= count;
  }
  return LATENCY_BOUNDS.at(-1);
}

/** The requests of a span. */
export function requestsOf(values: readonly number[]): number {
  const of = (place: number): number => values[place] ?? 0;
  return of(app.requests2xx) + of(app.requests3xx) + of(app.requests4xx) + of(app.requests5xx);
}
