import { OTHER_PAGES } from '../gateway/traffic.js';
import { page, pageOf } from './fields.js';
import type { Point } from './points.js';
import { meanRun } from './series.js';

/** The most pages that are listed; those with the fewest views are summed up. */
const MAX_PAGES = 20;

/** What visitors did on a page of an app. */
export interface PageViews {
  /** Below the app, such as `/Sales`; null for all others together. */
  path: string | null;
  views: number;
  runs: number;
  /** How long a run took on average, in ms; null where there was none. */
  runMs: number | null;
}

type Sums = Record<'views' | 'runs' | 'ms', number>;

/** The pages of an app, the most viewed first; the last one may be all others. @param pages their points, by id (`fields.ts`) */
export function mostViewed(pages: ReadonlyMap<string, readonly Point[]>): PageViews[] {
  const all = [...pages].map(([id, points]) => ({ path: pageOf(id)?.path ?? OTHER_PAGES, ...sumsOf(points) }));
  const named = all.filter(({ path }) => path !== OTHER_PAGES).sort((a, b) => b.views - a.views || b.runs - a.runs);
  const rest = [...named.slice(MAX_PAGES), ...all.filter(({ path }) => path === OTHER_PAGES)];
  const shown: PageViews[] = named.slice(0, MAX_PAGES).map((one) => viewsOf(one.path, one));
  return rest.length === 0 ? shown : [...shown, viewsOf(null, rest.reduce(addUp))];
}

function viewsOf(path: string | null, { views, runs, ms }: Sums): PageViews {
  return { path, views, runs, runMs: meanRun(runs, ms) };
}

function addUp<One extends Sums>(sums: One, { views, runs, ms }: Sums): One {
  return { ...sums, views: sums.views + views, runs: sums.runs + runs, ms: sums.ms + ms };
}

function sumsOf(points: readonly Point[]): Sums {
  return points
    .map(({ values }) => ({
      ...{ views: values[page.views] ?? 0, runs: values[page.runs] ?? 0, ms: values[page.runMs] ?? 0 },
    }))
    .reduce(addUp, { views: 0, runs: 0, ms: 0 });
}
