import { Refusal, type RefusalCode } from '../../errors.js';
import { printable, type App } from './app.js';
import { LAYOUT_KEYS, changeLayout, type LayoutChange } from '../project/layout.js';

/** The longest time that a release may be kept for its open pages, in minutes: a week. */
export const MAX_DRAIN_MINUTES = 10_080;

/** One ref that a push wants to change. */
export interface RefUpdate {
  old: string;
  new: string;
  ref: string;
}

/** What becomes of one ref of a push. */
export type RefPlan =
  | { kind: 'deploy'; branch: string }
  /** Deployed at an address of its own. */
  | { kind: 'preview'; branch: string }
  /** The branch goes, and its preview with it. */
  | { kind: 'end-preview'; branch: string }
  /** Stored and not deployed; the sentence says so. */
  | { kind: 'store'; say: string; branch?: string }
  | { kind: 'refuse'; reason: string };

/** What a pusher asks for with `git push -o`. */
export interface PushOptions {
  /** The push ends once the deploy is queued. */
  nowait: boolean;
  /** All packages are installed again. */
  fresh: boolean;
  /** For how long (minutes) the release before is kept for its open pages; undefined = as the app says. */
  drainMinutes?: number;
  /** Where in the repository the app is, from now on. */
  layout: LayoutChange;
  /** What nobody here knows, such as what is meant for another server. */
  unknown: string[];
}

/** What a push must know of an app's previews. */
export interface PreviewRule {
  /** True where branches get new ones. */
  on: boolean;
  /** True where the branch has one: it follows its branch for as long as it is there. */
  has(branch: string): boolean;
  /** How they are switched on, as a sentence for the pusher. */
  how: string;
}

/** The push options that there are, for a sentence. */
export const PUSH_OPTIONS = 'nowait, fresh, drain=<minutes>, main=<file>, root=<folder> and dependencies=<file>';

/** The lines that would deploy what was refused, one for each thing that could be meant. */
export function howToChoose(refusal: Pick<Refusal, 'code' | 'choices'>, branch: string): string[] {
  const option = CHOSEN_BY[refusal.code];
  if (option === undefined || refusal.choices.length === 0) return [];
  // What a shell would read as something else is not offered as a line to copy.
  const lines = refusal.choices
    .filter((choice) => /^[\w./@+-]+$/.test(choice))
    .map((choice) => `  git push -o ${option}=${choice} host ${printable(branch)}`);
  return lines.length === 0 ? [] : ['To deploy one of them, now and with later pushes:', ...lines, ''];
}

const CHOSEN_BY: Partial<Record<RefusalCode, string>> = { 'no-entrypoint': 'main', 'no-requirements': 'dependencies' };

/** What a pusher is told where nothing of a push deploys: how the branch that was stored would. */
export function howToDeploy(id: string, stored: string, deployBranch: string): string[] {
  const [branch, target] = [printable(stored), printable(deployBranch)];
  return [
    '',
    'Nothing was deployed.',
    `To deploy ${branch} once: git push host ${branch}:${target}`,
    `To deploy it from now on: streamlit-host branch ${id} ${branch}, then streamlit-host redeploy ${id}`,
    '',
  ];
}

const BRANCH = 'refs/heads/';
const NOTHING = /^0+$/;
/** What a file system takes, with room for `refs/heads/` and a lock file's ending. */
const MAX_BRANCH = 200;

/** A line `<old> <new> <ref>` as git's hooks get it. */
export function parseUpdate(line: string): RefUpdate | undefined {
  const match = /^([0-9a-f]{40,64}) ([0-9a-f]{40,64}) (refs\/[^\0\n]+)$/.exec(line);
  return match === null ? undefined : { old: match[1] ?? '', new: match[2] ?? '', ref: match[3] ?? '' };
}

/** True where the ref was not there when the pusher looked. */
export function isCreation(update: RefUpdate): boolean {
  return NOTHING.test(update.old);
}

/** True where the push deletes the ref. */
export function isDeletion(update: RefUpdate): boolean {
  return NOTHING.test(update.new);
}

/** True where pushes no longer name the branch that deploys: a person did, or a release is live. */
export function isBranchSettled({ live, branchChosen }: Pick<App, 'live' | 'branchChosen'>): boolean {
  return live !== null || branchChosen === true;
}

/**
 * Checks the name of a branch by git's rules (https://git-scm.com/docs/git-check-ref-format).
 * @throws Refusal `branch-invalid`
 */
export function demandBranchName(name: string): string {
  const isValid =
    name.length <= MAX_BRANCH &&
    !/^[-/]|^@$|[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|[/.]$/.test(name) &&
    name.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'));
  if (isValid) return name;
  throw new Refusal('invalid', 'branch-invalid', `"${printable(name)}" is not a valid branch name.`, {
    field: 'deploy_branch',
  });
}

/**
 * The branch that deploys: the one the app has, else main or master where this push brings it, else the first branch of it.
 * @param settled as `isBranchSettled` says: until then a first try from another branch does not outweigh main or master
 */
export function deployBranchOf(current: string | null, updates: readonly RefUpdate[], settled: boolean): string | null {
  if (current !== null && settled) return current;
  const branches = updates
    .filter((update) => update.ref.startsWith(BRANCH) && !isDeletion(update))
    .map((update) => update.ref.slice(BRANCH.length));
  return ['main', 'master'].find((name) => branches.includes(name)) ?? current ?? branches[0] ?? null;
}

/** What becomes of a ref. @param deployBranch as `deployBranchOf` says */
export function planRef(update: RefUpdate, deployBranch: string | null, previews: PreviewRule): RefPlan {
  if (isCreation(update) && isDeletion(update)) return { kind: 'refuse', reason: `${update.ref} does not exist` };
  if (update.ref.startsWith(BRANCH)) {
    const branch = update.ref.slice(BRANCH.length);
    if (branch === deployBranch) {
      return isDeletion(update)
        ? {
            kind: 'refuse',
            reason: `${branch} is the deploy branch; to delete the app, use the console or "streamlit-host delete"`,
          }
        : { kind: 'deploy', branch };
    }
    if (isDeletion(update)) {
      return previews.has(branch)
        ? { kind: 'end-preview', branch }
        : { kind: 'store', say: `Deleted branch ${branch}.` };
    }
    if (previews.on || previews.has(branch)) return { kind: 'preview', branch };
    return {
      kind: 'store',
      say: `Stored branch ${branch}. It is not deployed: this app deploys ${deployBranch ?? 'main'}. ${previews.how}`,
      branch,
    };
  }
  if (update.ref.startsWith('refs/tags/')) {
    const tag = update.ref.slice('refs/tags/'.length);
    return {
      kind: 'store',
      say: isDeletion(update) ? `Deleted tag ${tag}.` : `Stored tag ${tag}. Tags do not deploy.`,
    };
  }
  return { kind: 'refuse', reason: 'only branches and tags can be pushed' };
}

/**
 * Reads the options of a push (https://git-scm.com/docs/git-push#Documentation/git-push.txt---push-optionltoptiongt).
 * @throws Refusal `push-option-invalid`, `layout-invalid`
 */
export function parsePushOptions(options: readonly string[]): PushOptions {
  const parsed: PushOptions = { nowait: false, fresh: false, layout: {}, unknown: [] };
  for (const option of options) {
    const drain = /^drain=(.*)$/.exec(option)?.[1];
    const key = LAYOUT_KEYS.find((one) => option.startsWith(`${one}=`));
    if (option === 'nowait') parsed.nowait = true;
    else if (option === 'fresh') parsed.fresh = true;
    else if (key !== undefined) parsed.layout[key] = option.slice(key.length + 1);
    else if (drain === undefined) parsed.unknown.push(option);
    else if (/^\d{1,5}$/.test(drain) && Number(drain) <= MAX_DRAIN_MINUTES) parsed.drainMinutes = Number(drain);
    else
      throw new Refusal(
        'invalid',
        'push-option-invalid',
        `Invalid push option drain. Use drain=<minutes>, with 0 to ${MAX_DRAIN_MINUTES} minutes.`,
      );
  }
  changeLayout({}, parsed.layout);
  return parsed;
}
