import { findRelease, type App } from '../domain/app/app.js';
import { isBranchSettled } from '../domain/app/push.js';
import { movesBranch, type Release } from '../domain/app/release.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';

/** What moving a branch needs. */
export interface BranchKit {
  store: AppStore;
  paths: Paths;
  git: Git;
}

/** Records the deploy branch and makes clones check it out. Does nothing if the app already has one. */
export async function adoptBranch({ store, paths, git }: BranchKit, id: string, branch: string): Promise<void> {
  const { deployBranch } = await store.update(id, (app) =>
    app.deployBranch === branch || (app.deployBranch !== null && isBranchSettled(app))
      ? app
      : { ...app, deployBranch: branch },
  );
  await new Repository(paths.repository(id), git).setHead(deployBranch ?? branch);
}

/** Changes the deploy branch at a person's request. Deploys nothing. */
export async function chooseBranch({ store, paths, git }: BranchKit, id: string, branch: string): Promise<void> {
  await store.update(id, (app) => ({ ...app, deployBranch: branch, branchChosen: true }));
  await new Repository(paths.repository(id), git).setHead(branch);
}

/** Moves the branch to the live commit, even if the pusher has left. A preview's branch also moves in its app. */
export async function moveBranch({ paths, git }: Omit<BranchKit, 'store'>, app: App, release: Release): Promise<void> {
  if (!movesBranch(release)) return;
  // Its own branch moves last: it shows whether the move was interrupted.
  for (const id of app.preview === undefined ? [app.id] : [app.preview.of, app.id]) {
    await new Repository(paths.repository(id), git).pointRef(`refs/heads/${release.branch}`, release.commit);
  }
}

/** Moves a branch that was left behind the live release, as by a server that was killed between the two. */
export async function mendBranch(kit: Omit<BranchKit, 'store'>, app: App): Promise<void> {
  const live = findRelease(app, app.live);
  if (live === undefined || !movesBranch(live)) return;
  const at = await new Repository(kit.paths.repository(app.id), kit.git).resolve(`refs/heads/${live.branch}`);
  if (at === live.previous && at !== live.commit) await moveBranch(kit, app, live);
}
