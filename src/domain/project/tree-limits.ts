/** How large a project may be. */
export interface TreeLimits {
  /** The most files. Lists of them are read in the server's own thread. */
  files: number;
  /** The most that one file may have, in bytes. */
  fileBytes: number;
  /** The most that all of them may have, in bytes. */
  totalBytes: number;
}

/** The limits for everything that is pushed or uploaded. */
export const TREE_LIMITS: TreeLimits = { files: 50_000, fileBytes: 100 * 1024 * 1024, totalBytes: 1024 * 1024 * 1024 };
