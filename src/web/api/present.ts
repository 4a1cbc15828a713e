import type { AppStatus, ProcessStatus, ReplicaStatus } from '../../host/apps.js';
import type { PreviewList } from '../../host/previews.js';
import type { App } from '../../domain/app/app.js';
import { describeCage, type ProcessCage } from '../../domain/app/process-cage.js';
import type { Release } from '../../domain/app/release.js';
import { replicasOf } from '../../domain/app/replicas.js';
import type { Rights } from '../../domain/access/rights.js';
import type { Principal } from '../../domain/access/principal.js';
import type { Links } from '../links.js';
import type { Usage } from '../presenters.js';
import type { AppAnswer, DeployAnswer, PreviewsAnswer } from './answers.js';

/** What that uses which carries the mark, with what it started; undefined where it cannot be told. */
export type UsageOf = (mark: string) => Usage | undefined;

/** An app as the API describes it. */
export function presentApp(status: AppStatus, links: Links, now: Date, usageOf: UsageOf): AppAnswer {
  const { app, state, process, replicas } = status;
  const url = links.app(app.id);
  const last = app.releases.at(-1);
  return {
    id: app.id,
    app_id: app.id,
    name: app.name,
    description: app.description,
    tags: app.tags,
    hidden: app.hidden,
    state,
    url,
    access_url: url,
    git_url: links.git(app.id),
    console_url: `${links.origin}/console/apps/${app.id}`,
    release: app.live,
    folder: app.place?.dir ?? null,
    path: app.path ?? null,
    port: process?.port ?? null,
    pid: process?.pid ?? null,
    memory_bytes: memoryOf(replicas ?? (process === undefined ? [] : [process]), usageOf),
    memory_limit_bytes: process?.memoryLimit ?? null,
    cage: process?.cage === undefined ? null : presentCage(process.cage),
    uptime_seconds: process === undefined ? null : uptimeOf(process, now),
    restarts: (replicas ?? []).reduce(
      (sum, each) => sum + each.restarts,
      replicas === undefined ? (process?.restarts ?? 0) : 0,
    ),
    ...(replicas && {
      replicas: replicasOf(app),
      processes: replicas.map((each) => presentReplica(each, now, usageOf)),
    }),
    deploy_branch: app.deployBranch,
    root: app.layout?.root ?? null,
    main: app.layout?.main ?? null,
    dependencies: app.layout?.dependencies ?? null,
    preview: app.preview === undefined ? null : { of: app.preview.of, branch: app.preview.branch },
    created_at: app.createdAt,
    updated_at: app.updatedAt,
    last_deploy: last === undefined ? null : presentDeploy(app, last, links.origin),
  };
}

/** An app for somebody who may open it, and perhaps see no more of it than that. */
export function presentFor(
  api: { links(): Links; usageOf: UsageOf; rights: Rights },
  by: Principal,
  status: AppStatus,
): AppAnswer {
  const sees = api.rights.may(by, 'see', status.app);
  const { replicas: _, ...alone } = status;
  const whole = presentApp(sees ? status : alone, api.links(), new Date(), api.usageOf);
  return sees ? whole : { ...whole, ...HIDDEN };
}

/** What only those see of an app who work on it. */
const HIDDEN = {
  release: null,
  folder: null,
  port: null,
  pid: null,
  memory_bytes: null,
  memory_limit_bytes: null,
  cage: null,
  uptime_seconds: null,
  restarts: 0,
  deploy_branch: null,
  root: null,
  main: null,
  dependencies: null,
  last_deploy: null,
} satisfies Partial<AppAnswer>;

function presentReplica(
  replica: ReplicaStatus,
  now: Date,
  usageOf: UsageOf,
): NonNullable<AppAnswer['processes']>[number] {
  const { state, draining, sessions, mark } = replica;
  return {
    replica: replica.replica,
    state,
    draining,
    sessions,
    pid: replica.pid ?? null,
    port: replica.port ?? null,
    memory_bytes: memoryOf([replica], usageOf),
    cpu: (mark === undefined ? undefined : usageOf(mark)?.cpu) ?? null,
    uptime_seconds: uptimeOf(replica, now),
    restarts: replica.restarts,
  };
}

function uptimeOf({ state, startedAt }: ProcessStatus, now: Date): number | null {
  return state === 'ready' ? Math.max(0, Math.floor((now.getTime() - Date.parse(startedAt)) / 1_000)) : null;
}

/** Returns what processes use together, in bytes; null where it cannot be told of any. */
function memoryOf(processes: readonly ProcessStatus[], usageOf: UsageOf): number | null {
  const known = processes.flatMap(({ mark }) => (mark === undefined ? [] : (usageOf(mark)?.memory ?? [])));
  return known.length === 0 ? null : known.reduce((sum, each) => sum + each, 0);
}

function presentCage(cage: ProcessCage): NonNullable<AppAnswer['cage']> {
  const { kind, ownUser, network } = cage;
  return { kind, own_user: ownUser, network, description: describeCage(cage) };
}

/** The previews of an app, in short. */
export function presentPreviews(previews: PreviewList, links: Links): PreviewsAnswer {
  return {
    previews_on: previews.on,
    previews: previews.list.map(({ app, state }) => {
      const last = app.releases.at(-1);
      return {
        id: app.id,
        branch: app.preview?.branch ?? '',
        state,
        url: links.app(app.id),
        console_url: `${links.origin}/console/apps/${app.id}`,
        release: app.live,
        last_deploy: last === undefined ? null : presentDeploy(app, last, links.origin),
      };
    }),
  };
}

/** A release as the deploy that made it. @param pages how many are open on each release, where that is to be told */
export function presentDeploy(
  app: App,
  release: Release,
  base: string,
  pages?: ReadonlyMap<number, number>,
): DeployAnswer {
  const open = pages?.get(release.number);
  const ended =
    release.finishedAt === undefined ? undefined : Date.parse(release.finishedAt) - Date.parse(release.createdAt);
  return {
    release: release.number,
    commit: release.commit,
    branch: release.branch,
    source: release.source,
    by: release.by,
    message: release.message,
    state: release.state,
    reason: release.reason ?? null,
    live: release.number === app.live,
    created_at: release.createdAt,
    finished_at: release.finishedAt ?? null,
    seconds: ended === undefined ? null : ended / 1_000,
    phases: release.phases ?? [],
    ...(open === undefined ? {} : { open_pages: open }),
    url: `${base}/api/apps/${app.id}/deploys/${release.number}`,
    packages_url: release.lock === undefined ? null : `${base}/api/apps/${app.id}/deploys/${release.number}/packages`,
    log_url: `${base}/api/apps/${app.id}/logs?source=build&release=${release.number}&follow=1`,
  };
}

/** One page of a list, and the Link header that leads to the others. @see https://www.rfc-editor.org/rfc/rfc8288 */
export function paginate<T>(list: T[], page: number, perPage: number, address: URL): { part: T[]; link: string } {
  const last = Math.max(1, Math.ceil(list.length / perPage));
  const to = (number: number, rel: string): string => {
    const url = new URL(address);
    url.searchParams.set('page', String(number));
    url.searchParams.set('per_page', String(perPage));
    return `<${url.href}>; rel="${rel}"`;
  };
  const links = [to(1, 'first'), to(last, 'last')];
  if (page > 1) links.push(to(Math.min(page - 1, last), 'prev'));
  if (page < last) links.push(to(page + 1, 'next'));
  return { part: list.slice((page - 1) * perPage, page * perPage), link: links.join(', ') };
}
