import { findRelease, type App } from '../domain/app/app.js';
import { isBranchSettled } from '../domain/app/push.js';
import { movesBranch, type Release } from '../domain/app/release.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';

/** What is needed to move branches. */
export interface BranchKit {
  store: AppStore;
  paths: Paths;
  git: Git;
}

/** Writes down the branch that deploys, and makes a clone check it out; nothing changes once that is settled. */
export async function adoptBranch({ store, paths, git }: BranchKit, id: string, branch: string): Promise<void> {
  const { deployBranch } = await store.update(id, (app) =>
    app.deployBranch === branch || (app.deployBranch !== null && isBranchSettled(app))
      ? app
      : { ...app, deployBranch: branch },
  );
  await new Repository(paths.repository(id), git).setHead(deployBranch ?? branch);
}

/** Makes another branch the one that deploys, as a person asked for. Deploys nothing. */
export async function chooseBranch({ store, paths, git }: BranchKit, id: string, branch: string): Promise<void> {
  await store.update(id, (app) => ({ ...app, deployBranch: branch, branchChosen: true }));
  await new Repository(paths.repository(id), git).setHead(branch);
}

/** The branch shows what is live, whether or not the pusher is still there to move it; a preview's, also in its app. */
export async function moveBranch({ paths, git }: Omit<BranchKit, 'store'>, app: App, release: Release): Promise<void> {
  if (!movesBranch(release)) return;
  // Its own goes last: by it an interrupted move is seen.
  for (const id of app.preview === undefined ? [app.id] : [app.preview.of, app.id]) {
    await new Repository(paths.repository(id), git).pointRef(`refs/heads/${release.branch}`, release.commit);
  }
}

/** A server that was killed between the swap and the branch's move left the branch behind what is live. */
export async function mendBranch(kit: Omit<BranchKit, 'store'>, app: App): Promise<void> {
  const live = findRelease(app, app.live);
  if (live === undefined || !movesBranch(live)) return;
  const at = await new Repository(kit.paths.repository(app.id), kit.git).resolve(`refs/heads/${live.branch}`);
  if (at === live.previous && at !== live.commit) await moveBranch(kit, app, live);
}
