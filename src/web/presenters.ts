import { appVerbs, type AppVerb } from '../domain/access/permissions.js';
import type { ProcessCage } from '../domain/app/process-cage.js';
import { findRelease, pendingRelease, type App, type AppState } from '../domain/app/app.js';
import { isPending, type Phase, type Release, type ReleaseState } from '../domain/app/release.js';
import type { ProjectFile } from '../apps/source.js';
import type { AppStatus, ProcessStatus, ReplicaStatus } from '../host/apps.js';
import { encodePath, type Links } from './links.js';
import { english, type Words } from './messages/messages.js';
import { formatBytes, formatSpan } from '../lib/units.js';
import { asSentence, capitalise } from '../lib/words.js';
import { presentShare, presentTime, type TimeView } from './numbers.js';

/** How a state looks: well, under way, in trouble, or at rest. */
export type Tone = 'good' | 'busy' | 'bad' | 'idle';

/** The state of an app or a release, in words and colour. */
export interface StateView {
  name: string;
  word: string;
  tone: Tone;
}

/** What a process uses now. */
export interface Usage {
  /** Resident memory, bytes. */
  memory: number;
  /** Share of one core, 1 = a whole one; undefined until it was measured twice. */
  cpu: number | undefined;
}

/** One of several processes of an app as pages show it. */
export interface ReplicaView {
  number: number;
  state: StateView;
  sessions: number;
  memory: string | undefined;
  cpu: string | undefined;
  pid: number | undefined;
  started: TimeView | undefined;
  restarts: number;
}

/** A release as pages show it. */
export interface ReleaseView {
  number: number;
  state: StateView;
  commit: string;
  shortCommit: string;
  message: string;
  by: string;
  /** "pushed", "uploaded", …: fits before "by". */
  verb: string;
  branch: string;
  reason: string | undefined;
  created: TimeView;
  /** How long the deploy took, or undefined while it is under way. */
  took: string | undefined;
  /** "Checkout 70 ms · environment 5.8 s · start 1.2 s", once it has ended. */
  phases: string | undefined;
  pending: boolean;
  live: boolean;
  /** True where it was live and another one is now, so that one can roll back to it. */
  canReturn: boolean;
  /** "2 open pages", while an older one still has its process. */
  open: string | undefined;
  href: string;
}

/** An app as pages show it. */
export interface AppView {
  id: string;
  /** Where it is a preview: of which app, with that app's page, and of which branch. */
  preview: { of: string; href: string; branch: string; remove: string } | undefined;
  name: string;
  description: string;
  state: StateView;
  /** A deploy under way beside what serves. */
  deploying: ReleaseView | undefined;
  live: ReleaseView | undefined;
  last: ReleaseView | undefined;
  /** Where visitors find the app. */
  url: string;
  git: string;
  /** The app's page in the console. */
  href: string;
  /** Where it runs in place, and the command that ends that. */
  inPlace: { folder: string; adopt: string } | undefined;
  memory: string | undefined;
  /** The most that it may use. */
  memoryLimit: string | undefined;
  /** What its process runs in, in a few words. */
  cage: string | undefined;
  cpu: string | undefined;
  pid: number | undefined;
  port: number | undefined;
  restarts: number;
  started: TimeView | undefined;
  /** Its processes, where there are several or should be. */
  replicas: ReplicaView[] | undefined;
  created: TimeView;
  canOpen: boolean;
  canStart: boolean;
  canStop: boolean;
  canRestart: boolean;
  canRedeploy: boolean;
  /** What the person who looks may do. */
  may: Record<AppVerb, boolean>;
  /** What the filter looks through. */
  search: string;
}

const TONES: Record<AppState | ReleaseState, Tone> = {
  created: 'idle',
  deploying: 'busy',
  failed: 'bad',
  starting: 'busy',
  running: 'good',
  crashed: 'bad',
  sleeping: 'idle',
  stopped: 'idle',
  queued: 'busy',
  building: 'busy',
  live: 'good',
  draining: 'idle',
  retired: 'idle',
  superseded: 'idle',
  cancelled: 'idle',
};

/** How an app's or a release's state reads. */
export function presentState(state: AppState | ReleaseState, words: Words = english): StateView {
  return { name: state, word: words.t(`state.${state}`), tone: TONES[state] };
}

/** An app for a page of the console. @param usageOf what a process uses, by its mark */
export function presentApp(
  status: AppStatus,
  links: Links,
  now: Date,
  usageOf: (mark: string) => Usage | undefined = () => undefined,
  words: Words = english,
): AppView {
  const { app, state, process, replicas } = status;
  const usage = usageOfAll(replicas ?? (process === undefined ? [] : [process]), usageOf);
  const href = links.console(`apps/${app.id}`);
  const view = (release: Release | undefined): ReleaseView | undefined =>
    release === undefined ? undefined : presentRelease(app, release, links, now, undefined, words);
  const deployed = app.live !== null;
  return {
    id: app.id,
    preview: app.preview === undefined ? undefined : presentPreview(app.id, app.preview, links),
    name: app.name,
    description: app.description,
    state: presentState(state, words),
    deploying: view(pendingRelease(app)),
    live: view(findRelease(app, app.live)),
    last: view(app.releases.at(-1)),
    url: links.app(app.id),
    git: links.git(app.id),
    href,
    inPlace: app.place === undefined ? undefined : { folder: app.place.dir, adopt: `streamlit-host adopt ${app.id}` },
    memory: usage === undefined ? undefined : formatBytes(usage.memory),
    memoryLimit: process?.memoryLimit === undefined ? undefined : formatBytes(process.memoryLimit),
    cage: process?.cage === undefined ? undefined : presentCage(process.cage, words),
    cpu: usage?.cpu === undefined ? undefined : presentShare(usage.cpu),
    pid: process?.pid,
    port: process?.port,
    restarts: (replicas ?? (process === undefined ? [] : [process])).reduce((sum, each) => sum + each.restarts, 0),
    started: process?.state === 'ready' ? presentTime(process.startedAt, now, words) : undefined,
    replicas: replicas?.map((each) => presentReplica(each, now, usageOf, words)),
    created: presentTime(app.createdAt, now, words),
    // To open an app that sleeps is what wakes it.
    canOpen: state === 'running' || state === 'starting' || state === 'sleeping',
    canStart: (deployed || app.place !== undefined) && app.wanted === 'stopped',
    canStop: deployed && app.wanted === 'running',
    canRestart: deployed && app.wanted === 'running',
    canRedeploy: app.releases.length > 0 && pendingRelease(app) === undefined,
    may: allowed(() => true),
    search: `${app.name} ${app.id} ${app.description} ${app.tags.join(' ')} ${words.t(`state.${state}`)}`.toLowerCase(),
  };
}

function presentReplica(
  replica: ReplicaStatus,
  now: Date,
  usageOf: (mark: string) => Usage | undefined,
  words: Words,
): ReplicaView {
  const { state, draining, sessions, pid, restarts, startedAt } = replica;
  const usage = usageOfAll([replica], usageOf);
  const shown = draining ? 'draining' : state === 'ready' ? 'running' : state;
  return {
    number: replica.replica,
    state: presentState(shown, words),
    sessions,
    memory: usage === undefined ? undefined : formatBytes(usage.memory),
    cpu: usage?.cpu === undefined ? undefined : presentShare(usage.cpu),
    pid,
    started: state === 'ready' ? presentTime(startedAt, now, words) : undefined,
    restarts,
  };
}

/** Returns what those processes use together that serve; undefined where it cannot be told of any. */
function usageOfAll(
  processes: readonly ProcessStatus[],
  usageOf: (mark: string) => Usage | undefined,
): Usage | undefined {
  const known = processes.flatMap(({ state, mark }) =>
    state !== 'ready' || mark === undefined ? [] : (usageOf(mark) ?? []),
  );
  if (known.length === 0) return undefined;
  const shares = known.flatMap(({ cpu }) => cpu ?? []);
  const sum = (numbers: readonly number[]): number => numbers.reduce((before, each) => before + each, 0);
  return { memory: sum(known.map(({ memory }) => memory)), cpu: shares.length === 0 ? undefined : sum(shares) };
}

/** An app for somebody who may do some things with it alone. */
export function limited(view: AppView, may: (verb: AppVerb) => boolean): AppView {
  const { canOpen, canStart, canStop, canRestart, canRedeploy, deploying, live, last } = view;
  const known = may('see') ? { deploying, live, last } : { deploying: undefined, live: undefined, last: undefined };
  return {
    ...view,
    ...known,
    canOpen: canOpen && may('open'),
    canStart: canStart && may('run'),
    canStop: canStop && may('run'),
    canRestart: canRestart && may('run'),
    canRedeploy: canRedeploy && may('deploy'),
    may: allowed(may),
  };
}

function allowed(may: (verb: AppVerb) => boolean): AppView['may'] {
  return Object.fromEntries(appVerbs.map((verb) => [verb, may(verb)])) as AppView['may'];
}

function presentPreview(
  id: string,
  { of, branch }: NonNullable<App['preview']>,
  links: Links,
): NonNullable<AppView['preview']> {
  const href = links.console(`apps/${of}`);
  return { of, href, branch, remove: `${href}/previews/${id}/remove` };
}

/** Apps by name, each with its previews behind it. */
export function sortApps(views: readonly AppView[]): AppView[] {
  const names = new Map(views.map((view) => [view.id, view.name]));
  const place = ({ id, name, preview }: AppView): string[] =>
    preview === undefined ? [name, id, '', ''] : [names.get(preview.of) ?? preview.of, preview.of, preview.branch, id];
  const compare = (a: string, b: string): number => a.localeCompare(b, 'en', { sensitivity: 'base', numeric: true });
  return [...views].sort((a, b) => {
    const [left, right] = [place(a), place(b)];
    return left.map((part, at) => compare(part, right[at] ?? '')).find((order) => order !== 0) ?? 0;
  });
}

/** A release as a line of an app's deploys. @param pages how many are open on each release */
export function presentRelease(
  app: App,
  release: Release,
  links: Links,
  now: Date,
  pages?: ReadonlyMap<number, number>,
  words: Words = english,
): ReleaseView {
  const open = release.state === 'draining' ? pages?.get(release.number) : undefined;
  return {
    number: release.number,
    state: presentState(release.state, words),
    commit: release.commit,
    shortCommit: release.commit.slice(0, 7),
    message: release.message,
    by: release.by,
    verb:
      release.of === undefined || release.source === 'config'
        ? words.t(`verb.${release.source}`)
        : words.t('verb.rollbackTo', { number: release.of }),
    branch: release.branch,
    // What the state says already is not said twice.
    reason:
      release.reason === undefined || release.reason === release.state
        ? undefined
        : words.sentence(asSentence(release.reason)),
    created: presentTime(release.createdAt, now, words),
    took:
      release.finishedAt === undefined
        ? undefined
        : formatSpan(Date.parse(release.finishedAt) - Date.parse(release.createdAt), words),
    phases: presentPhases(release.phases ?? [], words),
    pending: isPending(release.state),
    live: release.number === app.live,
    canReturn:
      release.folder === undefined &&
      app.place === undefined &&
      release.number !== app.live &&
      (release.state === 'retired' || release.state === 'draining'),
    open: open === undefined ? undefined : words.t('count.openPages', { count: open }),
    href: links.console(`apps/${app.id}/deploys/${release.number}`),
  };
}

/** What a process runs in, in a few words: "Bubblewrap, own user, no network". */
function presentCage({ kind, ownUser, network }: ProcessCage, words: Words): string {
  return words.list([
    words.t(`cage.${kind}`),
    ...(ownUser ? [words.t('cage.ownUser')] : []),
    ...(network ? [] : [words.t('cage.noNetwork')]),
  ]);
}

/** What a deploy spent its time on, in one line; undefined where it never began. */
function presentPhases(phases: readonly Phase[], words: Words): string | undefined {
  if (phases.length === 0) return undefined;
  return capitalise(phases.map(({ name, ms }) => `${words.t(`phase.${name}`)} ${formatSpan(ms, words)}`).join(' · '));
}

/** "12 apps · 9 running · 1 crashed · 3 previews": the whole in one line, troubles last, and previews apart. */
export function presentSummary(all: AppStatus[], words: Words = english): string {
  const list = all.filter(({ app }) => app.preview === undefined);
  const previews = all.length - list.length;
  const counts = new Map<AppState, number>();
  for (const { state } of list) counts.set(state, (counts.get(state) ?? 0) + 1);
  const order: AppState[] = ['running', 'starting', 'deploying', 'sleeping', 'stopped', 'created', 'failed', 'crashed'];
  const parts = order.flatMap((state) => {
    const count = counts.get(state);
    return count === undefined ? [] : [words.t(`summary.${state}`, { count })];
  });
  if (previews > 0) parts.push(words.t('count.previews', { count: previews }));
  return [words.t('count.apps', { count: list.length }), ...parts].join(' · ');
}

/** A folder of a project with its files, for the file tree. */
export interface FolderView {
  /** "" for the files at the top. */
  name: string;
  files: { name: string; path: string; size: string; href: string; current: boolean }[];
}

/** An app's files by folder, the top first. */
export function presentFiles(files: ProjectFile[], app: string, links: Links, current?: string): FolderView[] {
  const folders = new Map<string, FolderView>();
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const cut = file.path.lastIndexOf('/');
    const name = cut < 0 ? '' : file.path.slice(0, cut);
    const folder = folders.get(name) ?? { name, files: [] };
    folders.set(name, folder);
    folder.files.push({
      name: file.path.slice(cut + 1),
      path: file.path,
      size: formatBytes(file.size),
      href: links.console(`apps/${app}/files/${encodePath(file.path)}`),
      current: file.path === current,
    });
  }
  return [...folders.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
