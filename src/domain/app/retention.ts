import type { App } from './app.js';
import { isPending, type Release } from './release.js';

/**
 * The releases of an app that are not needed any more: all but the live one, those whose pages are still open, those that
 * are on their way, the newest that once served, and the failed ones among and after these.
 * @param keep how many that once served are kept, the live one included
 */
export function releasesToDrop(app: App, keep: number): number[] {
  const served = app.releases.filter(hasServed).map((release) => release.number);
  // Before as many have served, nothing is old: what failed on the way to the first one is still to be read.
  const oldest =
    served.length < keep
      ? 0
      : (served
          .toSorted((a, b) => b - a)
          .slice(0, keep)
          .at(-1) ?? 0);
  // A series of failures without a success between must not grow for ever either.
  const newestFailures = new Set(
    app.releases
      .filter((release) => !hasServed(release))
      .slice(-keep)
      .map((release) => release.number),
  );
  return app.releases
    .filter((release) => {
      if (release.state === 'live' || release.state === 'draining' || isPending(release.state)) return false;
      return release.number < oldest || (!hasServed(release) && !newestFailures.has(release.number));
    })
    .map((release) => release.number);
}

function hasServed(release: Release): boolean {
  return release.state === 'live' || release.state === 'draining' || release.state === 'retired';
}
