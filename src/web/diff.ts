import { english, type Words } from './messages/messages.js';
import type { ReleaseDiff } from '../host/releases.js';
import type { NamesDiff } from '../domain/config/diff.js';
import { Refusal } from '../errors.js';

/** How many lines of a patch a page shows. */
const LINES = 400;

/** A line of a diff. */
export interface PatchLine {
  text: string;
  kind: 'file' | 'place' | 'added' | 'removed' | 'same';
}

/** A config var or secret that differs between two releases. Its value is not shown. */
export interface NameChange {
  /** What becomes of it: "Added", "Removed", "Changed". */
  word: string;
  name: string;
  /** "config var" or "secret". */
  what: string;
  kind: 'added' | 'removed' | 'changed';
}

/** What a rollback to a release would change, for a page. */
export interface DiffView {
  /** The first lines of the patch. */
  lines: PatchLine[];
  /** The number of further lines. */
  more: number;
  config: NameChange[];
  /** Why the config cannot be compared; undefined where it could be. */
  configProblem: string | undefined;
}

/** @param limit how many lines of the patch are shown */
export function presentDiff({ code, config }: ReleaseDiff, words = english, limit = LINES): DiffView {
  const all = code === '' ? [] : code.replace(/\n$/, '').split('\n');
  const kinds = kindsOf(all);
  return {
    lines: all.slice(0, limit).map((text, place) => ({ text, kind: kinds[place] ?? 'same' })),
    more: Math.max(0, all.length - limit),
    config:
      config instanceof Refusal
        ? []
        : [
            ...namesOf(config.vars, words.t('diff.var'), words),
            ...namesOf(config.secrets, words.t('diff.secret'), words),
          ],
    configProblem: config instanceof Refusal ? words.sentence(config.message) : undefined,
  };
}

/** The head of a file's patch has lines that begin with "+" and "-", too: they are told from the changes by their place. */
function kindsOf(lines: readonly string[]): PatchLine['kind'][] {
  let inHead = true;
  return lines.map((line) => {
    if (line.startsWith('diff --git ')) inHead = true;
    if (line.startsWith('@@')) inHead = false;
    if (inHead) return line.startsWith('diff --git ') ? 'file' : 'same';
    if (line.startsWith('@@')) return 'place';
    return line.startsWith('+') ? 'added' : line.startsWith('-') ? 'removed' : 'same';
  });
}

function namesOf({ added, removed, changed }: NamesDiff, what: string, words: Words): NameChange[] {
  return [
    ...added.map((name) => ({ word: words.t('diff.added'), name, what, kind: 'added' as const })),
    ...removed.map((name) => ({ word: words.t('diff.removed'), name, what, kind: 'removed' as const })),
    ...changed.map((name) => ({ word: words.t('diff.changed'), name, what, kind: 'changed' as const })),
  ];
}
