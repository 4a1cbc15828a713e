import { counted } from '../lib/words.js';
import type { Change } from './lane.js';
import { MACHINE } from './problems.js';
import { titleOf } from './rules.js';

/** How many lines a message has; what is left is counted in one more. */
const MAX_LINES = 20;
/** How many changes a message tells; what is left is only counted. */
const MAX_CHANGES = 100;
/** The most characters of a line. */
const MAX_TEXT = 500;

/** What is sent, in every format the same. */
export interface Message {
  /** The same for every try. */
  id: string;
  /** One line, such as "Shop: App down". */
  title: string;
  /** A sentence or two for each change. */
  lines: string[];
  /** Where more is to be seen. */
  url: string;
  /** True where something is wrong, false where it is told that something has passed. */
  bad: boolean;
  changes: Change[];
  /** How many more there were. */
  missed: number;
}

/** Writes a message about changes. @param nameOf the name of an app @param missed how many more there were, which are only counted */
export function messageOf(
  id: string,
  changes: readonly Change[],
  { nameOf, urlOf }: { nameOf: (of: string) => string; urlOf: (of: string | undefined) => string },
  missed = 0,
): Message {
  const name = (of: string): string => (of === MACHINE ? 'Machine' : nameOf(of));
  const [first] = changes;
  const apps = new Set(changes.map(({ of }) => of));
  const head = (change: Change): string => {
    const title = titleOf(change.rule);
    return `${name(change.of)}: ${change.kind === 'passed' ? `Recovered – ${title}` : title}`;
  };
  const one = apps.size === 1 ? `${name(first?.of ?? '')}: ` : '';
  const lines = changes.slice(0, MAX_LINES).map((change) => short(`${head(change)}. ${change.text}`));
  const count = changes.length + missed;
  if (count > lines.length) lines.push(`And ${count - lines.length} more.`);
  return {
    id,
    title: oneLine(count === 1 && first !== undefined ? head(first) : `${one}${counted(count, 'alert')}`),
    lines,
    url: urlOf(apps.size === 1 ? first?.of : undefined),
    bad: changes.some(({ kind }) => kind !== 'passed'),
    changes: changes.slice(0, MAX_CHANGES),
    missed: missed + Math.max(0, changes.length - MAX_CHANGES),
  };
}

/** The message that a destination is tried with. */
export function testMessage(id: string, url: string, at: number): Message {
  const text = 'Alerts reach this destination.';
  return {
    ...{ id, url, bad: false },
    title: 'Test from streamlit-host',
    lines: [text],
    changes: [{ kind: 'happened', rule: 'down', of: MACHINE, text, at }],
    missed: 0,
  };
}

function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex -- a name or message of an app may hold anything
  return short(text.replace(/[\u0000-\u001f\u007f]+/g, ' '));
}

function short(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
}
