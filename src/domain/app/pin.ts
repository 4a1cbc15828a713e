/** The process that a page belongs to: a replica of a release. */
export interface Pin {
  release: number;
  /** 1, 2, 3 … per release; never used twice. Where a release has one process, it is 1. */
  replica: number;
}

/** How a pin looks in addresses and cookies: `12`, or `12-3` for all but the first replica. */
export const PIN = '[1-9][0-9]{0,8}(?:-[1-9][0-9]{0,5})?';

const WHOLE = new RegExp(`^${PIN}$`);

/** Returns the pin that a text is; undefined if it is none. */
export function parsePin(text: string): Pin | undefined {
  if (!WHOLE.test(text)) return undefined;
  const [release, replica = 1] = text.split('-').map(Number);
  return release === undefined ? undefined : { release, replica };
}

/** Returns a pin as text, as pages of releases with one process have always had it. */
export function pinText({ release, replica }: Pin): string {
  return replica === 1 ? String(release) : `${release}-${replica}`;
}
