import { blobsToRead, inspectTree, parseBlobs, parseTree, type Inspection } from '../domain/tree.js';
import type { Repository } from '../store/repository.js';

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
