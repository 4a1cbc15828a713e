import { APP_FILE, parseAppFile, type AppFile } from '../domain/project/app-file.js';
import { blobsToRead, inspectTree, parseBlobs, parseTree, type Inspection } from '../domain/project/tree.js';
import { readTopFile } from '../store/folder.js';
import type { Repository } from '../store/repository.js';

/** The largest streamlit-host.toml that is read, in bytes. */
const MAX_SETTINGS = 5 * 1024 * 1024;

/**
 * Looks at a commit before it is queued: whether it can become a release at all.
 * @param options.env lets git see the objects of a push that is not accepted yet
 * @throws Refusal with one sentence on what to change
 */
export async function inspectCommit(
  repository: Repository,
  commit: string,
  options: { env?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Inspection> {
  const entries = parseTree(await repository.tree(commit, options));
  const blobs = await repository.blobs(blobsToRead(entries), options);
  return inspectTree(entries, parseBlobs(blobs));
}

/** What the streamlit-host.toml of a folder says; nothing where there is none. @throws Refusal where it cannot be read */
export async function settingsIn(folder: string): Promise<AppFile> {
  const file = await readTopFile(folder, APP_FILE, MAX_SETTINGS);
  return file === undefined ? {} : parseAppFile(file.toString('utf8'));
}
